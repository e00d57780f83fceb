//! `#[derive(Event)]`: checks what was said against the struct and writes the implementation.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, Member, Path, Result, Type};

use crate::attributes::{EventAttributes, TagAttribute, default_crate, local};
use crate::split;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = fields(input)?;
    let attributes = EventAttributes::read(&input.attrs)?;
    let said = Said::check(&input.ident, &attributes)?;
    let krate = attributes.krate.clone().unwrap_or_else(default_crate);
    let tags = tags(&krate, fields, &attributes.tags)?;
    let stream = stream(&krate, fields, attributes.stream.as_ref())?;
    let names = names(&krate, &said.name, &attributes);
    let keys = keys(&krate, &attributes);
    let (decode, checks) = decode(&krate, &input.ident, &attributes, said.version);
    let (ident, name, version) = (&input.ident, &said.name, said.version);
    let (split, split_checks) = split::expand(&krate, ident, &attributes);
    let lineage = split::lineage(&krate, ident, &attributes);
    Ok(quote! {
        #[automatically_derived]
        impl #krate::Event for #ident {
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;
            const NAMES: &'static [&'static str] = #names;
            const TAG_KEYS: &'static [&'static str] = #keys;
            fn tags(&self) -> #krate::Result<#krate::Tags> { #tags }
            fn stream(&self) -> #krate::Result<::core::option::Option<#krate::StreamId>> { #stream }
            fn decode(
                stored: &#krate::__private::Stored<'_>,
            ) -> ::core::result::Result<Self, #krate::__private::CodecError> { #decode }
            #split
        }
        #checks
        #split_checks
        #lineage
    })
}

fn fields(input: &DeriveInput) -> Result<&Fields> {
    if let Some(parameter) = input.generics.params.first() {
        let message = "an event has no parameters: what is stored has one shape";
        return Err(Error::new_spanned(parameter, message));
    }
    match &input.data {
        Data::Struct(data) => Ok(&data.fields),
        Data::Enum(data) => Err(Error::new(
            data.enum_token.span(),
            "an event is a struct; a set of events is an enum with `#[derive(EventSet)]`",
        )),
        Data::Union(data) => Err(Error::new(data.union_token.span(), "an event is a struct")),
    }
}

/// Name and version, known to fit together with the rest.
struct Said {
    name: LitStr,
    version: u32,
}

impl Said {
    fn check(ident: &Ident, attributes: &EventAttributes) -> Result<Self> {
        let Some(name) = attributes.name.clone() else {
            let message = format!(
                "say under which name `{ident}` is stored: `#[event(name = \"thing.happened\")]`, past tense, for ever"
            );
            return Err(Error::new(ident.span(), message));
        };
        for (index, former) in attributes.renamed_from.iter().enumerate() {
            let repeated =
                attributes.renamed_from[..index].iter().any(|other| other.value() == former.value());
            if repeated || former.value() == name.value() {
                return Err(Error::new(
                    former.span(),
                    "this name is given already; a former name is another one",
                ));
            }
        }
        let version = attributes.version.as_ref().map_or(1, |version| version.number);
        match (&attributes.version, &attributes.upcast) {
            (Some(said), None) if 1 < version => {
                let before = version - 1;
                let message = format!(
                    "version {version} needs the shape of version {before}: add `upcast({ident}V{before})` and `impl Upcast<{ident}V{before}> for {ident}`"
                );
                Err(Error::new(said.literal.span(), message))
            }
            (_, Some(older)) if version == 1 => {
                Err(Error::new_spanned(older, "version 1 has nothing before it; raise `version` to 2"))
            }
            _ => Ok(Self { name, version }),
        }
    }
}

fn tags(krate: &Path, fields: &Fields, tags: &[TagAttribute]) -> Result<TokenStream> {
    if tags.is_empty() {
        return Ok(quote!(::core::result::Result::Ok(#krate::Tags::NONE)));
    }
    let mut pushes = TokenStream::new();
    for tag in tags {
        let kind = find(fields, &tag.field[0])?;
        let (path, format) = (&tag.field, format!("{}:{{}}", tag.key.replace('{', "{{").replace('}', "}}")));
        let span = path[path.len() - 1].span();
        let (this, list) = (local("self", span), local("tags", span));
        pushes.extend(if tag.field.len() == 1 && is_option(kind) {
            quote_spanned! {span=>
                if let ::core::option::Option::Some(value) = &#this #(.#path)* {
                    #list.push(::std::format!(#format, value));
                }
            }
        } else {
            quote_spanned!(span=> #list.push(::std::format!(#format, #this #(.#path)*));)
        });
    }
    Ok(quote! {
        let mut tags: ::std::vec::Vec<::std::string::String> = ::std::vec::Vec::new();
        #pushes
        #krate::Tags::new(tags)
    })
}

/// The stream from a pattern such as `account-{account_id}`.
fn stream(krate: &Path, fields: &Fields, pattern: Option<&LitStr>) -> Result<TokenStream> {
    let Some(pattern) = pattern else {
        return Ok(quote!(::core::result::Result::Ok(::core::option::Option::None)));
    };
    let text = pattern.value();
    let (mut format, mut members, mut rest) = (String::new(), Vec::new(), text.as_str());
    while let Some((before, after)) = rest.split_once('{') {
        let Some((field, after)) = after.split_once('}') else {
            return Err(Error::new(pattern.span(), "`{` without `}`; write a field as `{account_id}`"));
        };
        let member = member(field).ok_or_else(|| {
            Error::new(pattern.span(), format!("`{{{field}}}` is no field; write one as `{{account_id}}`"))
        })?;
        let member = respan(member, pattern);
        find(fields, &member)?;
        format.push_str(before);
        format.push_str("{}");
        members.push(member);
        rest = after;
    }
    format.push_str(rest);
    if text.is_empty() || format.replace("{}", "").contains('}') {
        return Err(Error::new(
            pattern.span(),
            "write the stream as text with fields: `account-{account_id}`",
        ));
    }
    let this = local("self", pattern.span());
    Ok(quote_spanned! {pattern.span()=>
        #krate::StreamId::new(::std::format!(#format #(, #this.#members)*)).map(::core::option::Option::Some)
    })
}

/// All names: the present one, the former ones, and those of the older shape.
fn names(krate: &Path, name: &LitStr, attributes: &EventAttributes) -> TokenStream {
    let former = &attributes.renamed_from;
    let own = quote!(&[#name #(, #former)*]);
    match &attributes.upcast {
        None => own,
        Some(older) => {
            let count = former.len() + 1;
            quote!({
                const OWN: &[&str] = #own;
                const OLDER: &[&str] = <#older as #krate::Event>::NAMES;
                const ALL: [&str; #count + OLDER.len()] = #krate::__private::concat(&[OWN, OLDER]);
                &ALL
            })
        }
    }
}

/// The keys of its tags, of those of its older shape, and of those of what it is split from.
fn keys(krate: &Path, attributes: &EventAttributes) -> TokenStream {
    let own = attributes.tags.iter().map(|tag| &tag.key);
    let own = quote!(&[#(#own),*]);
    let (older, splits) = (attributes.upcast.iter(), &attributes.split_from);
    if attributes.upcast.is_none() && splits.is_empty() {
        return own;
    }
    quote!({
        const LISTS: &[&[&str]] = &[
            #own,
            #(<#older as #krate::Event>::TAG_KEYS,)*
            #(<<#splits as #krate::Split>::Old as #krate::Event>::TAG_KEYS,)*
        ];
        const ALL: [&str; #krate::__private::total(LISTS)] = #krate::__private::concat(LISTS);
        &ALL
    })
}

/// How stored data is read, and what must hold of the older shape.
fn decode(
    krate: &Path,
    ident: &Ident,
    attributes: &EventAttributes,
    version: u32,
) -> (TokenStream, TokenStream) {
    let present = quote!(#krate::__private::decode_json::<Self>(stored, <Self as #krate::Event>::VERSION));
    let Some(older) = &attributes.upcast else {
        return (present, TokenStream::new());
    };
    let (span, stored) = (older.span(), local("stored", older.span()));
    let before = version - 1;
    let message =
        format!("`{ident}` is version {version}, so the shape in `upcast(...)` must be version {before}");
    let moved =
        format!("`split_from(...)` belongs to the present shape: take it from the older one to `{ident}`");
    let decode = quote_spanned! {span=>
        if #stored.version < #version {
            return <#older as #krate::Event>::decode(#stored).map(<Self as #krate::Upcast<#older>>::upcast);
        }
        #present
    };
    let checks = quote_spanned! {span=>
        const _: () = ::core::assert!(<#older as #krate::Event>::VERSION == #before, #message);
        const _: () = ::core::assert!(
            <#older as #krate::Event>::SOURCES.len() == <#older as #krate::Event>::NAMES.len(), #moved
        );
    };
    (decode, checks)
}

fn find<'a>(fields: &'a Fields, member: &Member) -> Result<&'a Type> {
    let found = fields.members().zip(fields).find(|(other, _)| match (other, member) {
        (Member::Named(other), Member::Named(member)) => other.unraw() == member.unraw(),
        (Member::Unnamed(other), Member::Unnamed(member)) => other.index == member.index,
        _ => false,
    });
    if let Some((_, field)) = found {
        return Ok(&field.ty);
    }
    let wanted = match member {
        Member::Named(name) => name.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    };
    let known: Vec<String> = fields
        .members()
        .map(|member| match member {
            Member::Named(name) => format!("`{}`", name.unraw()),
            Member::Unnamed(index) => format!("`{}`", index.index),
        })
        .collect();
    let known =
        if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    Err(Error::new_spanned(member, format!("`{wanted}` is no field of this event; {known}")))
}

fn is_option(kind: &Type) -> bool {
    match kind {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Option"),
        // What a macro was given as a type.
        Type::Group(group) => is_option(&group.elem),
        _ => false,
    }
}

fn member(text: &str) -> Option<Member> {
    if let Ok(index) = text.parse::<usize>() {
        return Some(Member::Unnamed(index.into()));
    }
    syn::parse_str::<Ident>(text).ok().map(Member::Named)
}

fn respan(member: Member, at: &LitStr) -> Member {
    match member {
        Member::Named(name) => Member::Named(format_ident!("{name}", span = at.span())),
        Member::Unnamed(mut index) => {
            index.span = at.span();
            Member::Unnamed(index)
        }
    }
}
