//! What `#[event(...)]` may say, parsed and checked word by word.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitInt, LitStr, Member, Path, Result, Token, parenthesized};

/// The bytes a stored name may have.
const NAME_BYTES_MAX: usize = 255;

/// All that `#[event(...)]` said.
#[derive(Default)]
pub(crate) struct EventAttributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<Version>,
    pub(crate) tags: Vec<TagAttribute>,
    pub(crate) stream: Option<LitStr>,
    pub(crate) renamed_from: Vec<LitStr>,
    pub(crate) upcast: Option<Path>,
    pub(crate) split_from: Vec<Path>,
    pub(crate) krate: Option<Path>,
}

pub(crate) struct Version {
    pub(crate) number: u32,
    pub(crate) literal: LitInt,
}

/// `key = field.path`, or `field` for both.
pub(crate) struct TagAttribute {
    pub(crate) key: String,
    pub(crate) field: Vec<Member>,
}

impl EventAttributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("event")) {
            attribute.parse_args_with(|input: ParseStream<'_>| read.parse(input))?;
        }
        Ok(read)
    }

    fn parse(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !input.is_empty() {
            let word = input.call(Ident::parse_any)?;
            match word.to_string().as_str() {
                "name" => once(&word, &mut self.name, name(input)?)?,
                "version" => once(&word, &mut self.version, version(input)?)?,
                "stream" => once(&word, &mut self.stream, value(input)?)?,
                "crate" => once(&word, &mut self.krate, value(input)?)?,
                "upcast" => once(&word, &mut self.upcast, one(input)?)?,
                "tags" => self.tags.extend(list::<TagAttribute>(input)?),
                "split_from" => self.split_from.extend(list::<Path>(input)?),
                "renamed_from" => {
                    for former in list::<LitStr>(input)? {
                        check_name(&former)?;
                        self.renamed_from.push(former);
                    }
                }
                other => {
                    let known = "name, version, tags, stream, renamed_from, upcast, split_from, crate";
                    return Err(Error::new(
                        word.span(),
                        format!("`{other}` means nothing here; known are: {known}"),
                    ));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

impl Parse for TagAttribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let first = input.parse::<Member>()?;
        if !input.peek(Token![=]) {
            let Member::Named(name) = &first else {
                return Err(Error::new_spanned(
                    &first,
                    "a field without a name needs a key: `tags(account = 0)`",
                ));
            };
            return Ok(Self { key: name.unraw().to_string(), field: vec![first] });
        }
        let Member::Named(key) = &first else {
            return Err(Error::new_spanned(&first, "the key of a tag is a word: `tags(account = 0)`"));
        };
        let key = key.unraw().to_string();
        input.parse::<Token![=]>()?;
        let field = Punctuated::<Member, Token![.]>::parse_separated_nonempty(input)?;
        Ok(Self { key, field: field.into_iter().collect() })
    }
}

/// A name of ours where the user's token stands: one that came through a `macro_rules!` knows neither `self` nor the
/// arguments of a function of ours.
pub(crate) fn local(name: &str, token: Span) -> Ident {
    Ident::new(name, token.resolved_at(Span::call_site()))
}

/// Reads `crate = path` of another attribute than `event`.
pub(crate) fn krate(attributes: &[Attribute], name: &str) -> Result<Path> {
    let mut krate = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        attribute.parse_args_with(|input: ParseStream<'_>| {
            let word = input.call(Ident::parse_any)?;
            if word != "crate" {
                return Err(Error::new(word.span(), format!("`{word}` means nothing here; known is: crate")));
            }
            once(&word, &mut krate, value(input)?)
        })?;
    }
    Ok(krate.unwrap_or_else(default_crate))
}

/// Where the framework is for those who depend on the facade.
pub(crate) fn default_crate() -> Path {
    syn::parse_quote!(::factlog)
}

fn once<T>(word: &Ident, slot: &mut Option<T>, value: T) -> Result<()> {
    if slot.is_some() {
        return Err(Error::new(word.span(), format!("`{word}` is said twice; say it once")));
    }
    *slot = Some(value);
    Ok(())
}

fn value<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn one<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    let content;
    parenthesized!(content in input);
    content.parse()
}

fn list<T: Parse>(input: ParseStream<'_>) -> Result<Vec<T>> {
    let content;
    parenthesized!(content in input);
    Ok(Punctuated::<T, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

fn name(input: ParseStream<'_>) -> Result<LitStr> {
    let name = value::<LitStr>(input)?;
    check_name(&name)?;
    Ok(name)
}

fn check_name(name: &LitStr) -> Result<()> {
    let length = name.value().len();
    if length == 0 || NAME_BYTES_MAX < length {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes, this one has {length}");
        return Err(Error::new(name.span(), message));
    }
    Ok(())
}

fn version(input: ParseStream<'_>) -> Result<Version> {
    let literal = value::<LitInt>(input)?;
    let number = literal.base10_parse::<u32>()?;
    if number == 0 {
        return Err(Error::new(literal.span(), "versions count from 1"));
    }
    Ok(Version { number, literal })
}
