//! What the compiler says to somebody who forgot something: the mistake's own token, and what to write.

/// A derive error that points at the derive, or a bound that names an internal trait, costs an afternoon.
#[test]
fn mistakes_are_reported_where_they_are_made_with_what_to_write() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_errors/*.rs");
    #[cfg(feature = "schema")]
    cases.compile_fail("tests/compile_errors_schema/*.rs");
}
