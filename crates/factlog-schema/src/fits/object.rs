//! Objects: structs and maps, as serde reads them.
//!
//! A struct passes over members it does not know, unless it refuses them. A map takes any member.

use super::Judge;
use crate::Problem;
use crate::shape::{Object, Others};

impl Judge<'_> {
    pub(super) fn object(&mut self, writer: &Object, reader: &Object, path: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, written) in &writer.fields {
            let field = format!("{path}.{name}");
            match (reader.fields.get(name), &reader.others) {
                (Some(read), _) => problems.extend(self.schema(written, read, &field)),
                (None, Others::Ignored) => {}
                (None, Others::Refused) => problems.push(Problem::new(&field, self.words.refused())),
                (None, Others::Members { names: None, shape }) => {
                    problems.extend(self.schema(written, &shape.clone(), &field));
                }
                (None, Others::Members { names: Some(_), .. }) => {
                    problems.push(Problem::new(&field, self.words.no_member()));
                }
            }
        }
        for name in reader.required.difference(&writer.required) {
            let optional = writer.fields.contains_key(name);
            problems.push(Problem::new(&format!("{path}.{name}"), self.words.required(optional)));
        }
        problems.extend(self.members(writer, reader, path));
        problems
    }

    /// What a map holds besides its fields.
    fn members(&mut self, writer: &Object, reader: &Object, path: &str) -> Vec<Problem> {
        let Others::Members { names, shape: written } = &writer.others else { return Vec::new() };
        let any = format!("{path}.*");
        // Any member may have the name of a field that the reader knows and the writer does not.
        let mut problems: Vec<Problem> = Vec::new();
        for (name, read) in reader.fields.iter().filter(|(name, _)| !writer.fields.contains_key(*name)) {
            problems.extend(self.schema(written, read, &format!("{path}.{name}")));
        }
        match &reader.others {
            Others::Ignored => problems.push(Problem::new(path, self.words.map_to_struct())),
            Others::Refused => problems.push(Problem::new(path, self.words.map_to_struct())),
            Others::Members { names: wanted, .. } if wanted.is_some() && wanted != names => {
                problems.push(Problem::new(path, self.words.no_member()));
            }
            Others::Members { shape: read, .. } => problems.extend(self.schema(written, &read.clone(), &any)),
        }
        problems
    }
}
