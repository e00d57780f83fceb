//! What `split_from(...)` adds to an event: more names to ask for, and how the facts behind them are found.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, Path};

use crate::attributes::EventAttributes;

/// Members of `impl Event`, and what must hold of the splits.
pub(crate) fn expand(
    krate: &Path,
    ident: &Ident,
    attributes: &EventAttributes,
) -> (TokenStream, TokenStream) {
    let splits = &attributes.split_from;
    if splits.is_empty() {
        return (TokenStream::new(), TokenStream::new());
    }
    let old: Vec<TokenStream> =
        splits.iter().map(|split| quote_spanned!(split.span()=> <#split as #krate::Split>::Old)).collect();
    let members = quote! {
        const SOURCES: &'static [&'static str] = {
            const LISTS: &[&[&str]] =
                &[<#ident as #krate::Event>::NAMES, #(<#old as #krate::Event>::SOURCES),*];
            const ALL: [&str; #krate::__private::total(LISTS)] = #krate::__private::concat(LISTS);
            &ALL
        };
        fn facts(
            stored: &#krate::__private::Stored<'_>,
            fact: &mut dyn ::core::ops::FnMut(#krate::__private::Fact<Self>),
        ) -> ::core::result::Result<(), #krate::__private::CodecError> {
            if <Self as #krate::Event>::NAMES.contains(&stored.event_type) {
                fact(#krate::__private::Fact::stored(<Self as #krate::Event>::decode(stored)?));
            }
            #(#krate::__private::split::<#splits, Self>(stored, fact)?;)*
            ::core::result::Result::Ok(())
        }
    };
    let checks = splits.iter().zip(&old).map(|(split, old)| check(krate, ident, split, old));
    (members, quote!(#(#checks)*))
}

fn check(krate: &Path, ident: &Ident, split: &Path, old: &TokenStream) -> TokenStream {
    let not_into = format!("`{ident}` is not in the set that this is split into; add it to `type Into`");
    let itself =
        format!("`{ident}` cannot be split from events of its own name; raise `version` and write an upcast");
    quote_spanned! {split.span()=>
        const _: () = ::core::assert!(
            #krate::__private::contains(
                <<#split as #krate::Split>::Into as #krate::EventSet>::NAMES,
                <#ident as #krate::Event>::NAME,
            ),
            #not_into
        );
        const _: () = ::core::assert!(
            #krate::__private::disjoint(&[<#ident as #krate::Event>::NAMES, <#old as #krate::Event>::NAMES]),
            #itself
        );
    }
}

/// The relatives of the event, as types.
pub(crate) fn lineage(krate: &Path, ident: &Ident, attributes: &EventAttributes) -> TokenStream {
    let older = match &attributes.upcast {
        Some(older) => quote!(#krate::__private::One<#older>),
        None => quote!(()),
    };
    let splits = attributes.split_from.iter().rev().fold(quote!(()), |rest, split| quote!((#split, #rest)));
    quote! {
        #[automatically_derived]
        impl #krate::__private::Lineage for #ident {
            type Older = #older;
            type Splits = #splits;
        }
        #[automatically_derived]
        impl #krate::__private::Members for #ident {
            type Tree = #krate::__private::One<#ident>;
        }
    }
}
