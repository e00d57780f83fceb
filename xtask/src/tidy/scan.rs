//! Tells code from comments and strings in Rust text, and nothing more.
//!
//! Both halves keep every line where it was, so that a byte found in one has the same line in the file. What is not
//! part of a half is blank there.

/// The text twice: only its code, and only its comments. The contents of strings are in neither.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) code: String,
    pub(super) comments: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

pub(super) fn split(text: &str) -> Halves {
    let mut halves =
        Halves { code: String::with_capacity(text.len()), comments: String::with_capacity(text.len()) };
    let mut rest = text;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next_piece(rest, first, previous);
        let (piece, after) = rest.split_at(length);
        halves.push(piece, kind);
        previous = piece.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    halves
}

impl Halves {
    fn push(&mut self, piece: &str, kind: Kind) {
        for c in piece.chars() {
            let blank = if c == '\n' { '\n' } else { ' ' };
            self.code.push(if kind == Kind::Code { c } else { blank });
            self.comments.push(if kind == Kind::Comment { c } else { blank });
        }
    }
}

/// The kind and length in bytes of what `rest` begins with.
fn next_piece(rest: &str, first: char, previous: char) -> (Kind, usize) {
    let within_word = previous.is_alphanumeric() || previous == '_';
    if rest.starts_with("//") {
        (Kind::Comment, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (Kind::Comment, block_comment(rest))
    } else if first == '"' {
        (Kind::Text, quoted(rest, 1))
    } else if let Some(length) = raw_string(rest).filter(|_| !within_word) {
        (Kind::Text, length)
    } else if let Some(length) = character(rest).filter(|_| first == '\'') {
        (Kind::Text, length)
    } else {
        (Kind::Code, first.len_utf8())
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a string whose content starts at `from`, with escapes.
fn quoted(rest: &str, from: usize) -> usize {
    let bytes = rest.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `r"..."`, `br#"..."#` and their like.
fn raw_string(rest: &str) -> Option<usize> {
    let after_r = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let after_hashes = after_r.trim_start_matches('#');
    let hashes = after_r.len() - after_hashes.len();
    let content = after_hashes.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let content_at = rest.len() - content.len();
    Some(content.find(&end).map_or(rest.len(), |found| content_at + found + end.len()))
}

/// The length of a character literal; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (escaped, _) = chars.next()?;
        let after = escaped + rest[escaped..].chars().next()?.len_utf8();
        return rest[after..].find('\'').map(|found| after + found + 1);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    //! The places where code, comments and strings look like each other.
    use super::*;

    fn code(text: &str) -> String {
        split(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_not_code() {
        let halves = split("let a = 1; // unsafe\n/* one /* two */ unsafe */ let b;\n");
        assert!(!halves.code.contains("unsafe"));
        assert!(halves.code.contains("let a = 1;") && halves.code.contains("let b;"));
        assert!(halves.comments.contains("// unsafe") && halves.comments.contains("two"));
    }

    #[test]
    fn strings_are_neither() {
        for text in
            [r#"f("unsafe // \" unsafe"); g()"#, "f(r#\"unsafe \" // unsafe\"#); g()", "f(b\"unsafe\"); g()"]
        {
            let halves = split(text);
            assert!(!halves.code.contains("unsafe"), "{text}");
            assert!(!halves.comments.contains("unsafe"), "{text}");
            assert!(halves.code.contains("g()"), "{text}");
        }
    }

    #[test]
    fn a_quote_may_be_a_character_or_a_lifetime() {
        assert_eq!(code("a('\"', b); c"), "a( , b); c");
        assert_eq!(code(r"a('\'', '\\', '\u{1b}'); c"), "a( , , ); c");
        assert_eq!(code("fn a<'x>(b: &'x str) {}"), "fn a<'x>(b: &'x str) {}");
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a\n\"b\nc\"\n// d\n/* e\n*/ f\n";
        let halves = split(text);
        assert_eq!(halves.code.lines().count(), text.lines().count());
        assert_eq!(halves.code.lines().position(|line| line.contains('f')), Some(5));
    }
}
