//! `#[derive(EventSet)]`: an enum with one event in each variant.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Ident, Path, Result, Type, Variant};

use crate::attributes::{krate, local};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let variants = variants(input)?;
    let krate = krate(&input.attrs, "event_set")?;
    let ident = &input.ident;
    let names: Vec<&Ident> = variants.iter().map(|(name, _)| *name).collect();
    let types: Vec<&Type> = variants.iter().map(|(_, event)| *event).collect();
    let conversions = variants.iter().map(|(name, event)| {
        quote! {
            #[automatically_derived]
            impl ::core::convert::From<#event> for #ident {
                fn from(event: #event) -> Self { Self::#name(event) }
            }
        }
    });
    let list = quote!(&[#(<#types as #krate::Event>::NAMES),*]);
    let sources = quote!(&[#(<#types as #krate::Event>::SOURCES),*]);
    let facts = facts(&krate, &names, &types);
    let tree = tree(&krate, &types);
    let twice =
        format!("two events of `{ident}` are stored under the same name; each name belongs to one of them");
    let check = quote_spanned! {ident.span()=>
        const _: () = ::core::assert!(#krate::__private::disjoint(#list), #twice);
    };
    let decodes = decodes(&krate, &names, &types);
    Ok(quote! {
        #[automatically_derived]
        impl #krate::EventSet for #ident {
            const NAMES: &'static [&'static str] = {
                const LISTS: &[&[&str]] = #sources;
                const ALL: [&str; #krate::__private::total(LISTS)] = #krate::__private::concat(LISTS);
                &ALL
            };
            const SCHEMAS: &'static [(&'static str, u32)] =
                &[#((<#types as #krate::Event>::NAME, <#types as #krate::Event>::VERSION)),*];
            const TAG_KEYS: &'static [(&'static str, &'static [&'static str])] =
                &[#((<#types as #krate::Event>::NAME, <#types as #krate::Event>::TAG_KEYS)),*];
            fn encode(
                &self,
            ) -> ::core::result::Result<#krate::__private::Encoded, #krate::__private::CodecError> {
                match self { #(Self::#names(event) => #krate::__private::encode(event)),* }
            }
            fn decode(
                stored: &#krate::__private::Stored<'_>,
            ) -> ::core::result::Result<Self, #krate::__private::CodecError> {
                #decodes
                ::core::result::Result::Err(#krate::__private::unknown_type::<Self>(stored))
            }
            fn facts(
                stored: &#krate::__private::Stored<'_>,
                fact: &mut dyn ::core::ops::FnMut(#krate::__private::Fact<Self>),
            ) -> ::core::result::Result<(), #krate::__private::CodecError> {
                // Where nothing is split, a name belongs to one event.
                const SPLITS: bool = #krate::__private::total(#list) != #krate::__private::total(#sources);
                let mut known = false;
                #facts
                if known {
                    return ::core::result::Result::Ok(());
                }
                ::core::result::Result::Err(#krate::__private::unknown_type::<Self>(stored))
            }
        }
        #[automatically_derived]
        impl #krate::__private::Members for #ident {
            type Tree = #tree;
        }
        #check
        #(#conversions)*
    })
}

/// Reads what is stored as the event that has the stored name among its own.
fn decodes(krate: &Path, names: &[&Ident], types: &[&Type]) -> TokenStream {
    let each = types.iter().zip(names).map(|(event, name)| {
        let stored = local("stored", event.span());
        quote_spanned! {event.span()=>
            if <#event as #krate::Event>::NAMES.contains(&#stored.event_type) {
                return <#event as #krate::Event>::decode(#stored).map(Self::#name);
            }
        }
    });
    quote!(#(#each)*)
}

/// Hands on the facts of each event that has the stored name among its sources.
fn facts(krate: &Path, names: &[&Ident], types: &[&Type]) -> TokenStream {
    let each = types.iter().zip(names).map(|(event, name)| {
        let [stored, known, fact] = ["stored", "known", "fact"].map(|name| local(name, event.span()));
        quote_spanned! {event.span()=>
            if #krate::__private::among(<#event as #krate::Event>::SOURCES, #stored.event_type) {
                #known = true;
                <#event as #krate::Event>::facts(#stored, &mut |found| #fact(found.map(Self::#name)))?;
                if !SPLITS {
                    return ::core::result::Result::Ok(());
                }
            }
        }
    });
    quote!(#(#each)*)
}

/// The events paired up, so that a set of many is no deep type.
fn tree(krate: &Path, types: &[&Type]) -> TokenStream {
    match types {
        [one] => quote!(#krate::__private::One<#one>),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            let (left, right) = (tree(krate, left), tree(krate, right));
            quote!((#left, #right))
        }
    }
}

/// Each variant with the one event it holds.
fn variants(input: &DeriveInput) -> Result<Vec<(&Ident, &Type)>> {
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a set of events has no parameters"));
    }
    let Data::Enum(data) = &input.data else {
        let message = "a set of events is an enum with one event in each variant: `enum AccountEvent { Opened(Opened) }`";
        return Err(Error::new(input.ident.span(), message));
    };
    if data.variants.is_empty() {
        return Err(Error::new(
            input.ident.span(),
            "a set of events has at least one: add a variant such as `Opened(Opened)`",
        ));
    }
    let mut variants: Vec<(&Ident, &Type)> = Vec::new();
    for variant in &data.variants {
        let event = event_of(variant)?;
        if let Some((other, _)) = variants.iter().find(|(_, known)| *known == event) {
            let message =
                format!("this event is in the variant `{other}` already; each event has one variant");
            return Err(Error::new_spanned(event, message));
        }
        variants.push((&variant.ident, event));
    }
    Ok(variants)
}

fn event_of(variant: &Variant) -> Result<&Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => {
            let name = &variant.ident;
            let message = format!(
                "a variant holds exactly one event: write `{name}({name})` and put the fields in that struct"
            );
            Err(Error::new_spanned(variant, message))
        }
    }
}
