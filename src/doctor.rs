//! The check of everything stored: heads, rows, snapshots, checksums, owners. It reads and tells; it mends nothing.

use std::collections::HashSet;
use std::fmt;

use crate::db::Db;
use crate::error::Result;
use crate::ids::DocumentId;
use crate::journal::{self, Loaded};
use crate::update::{ClientId, merge, summary};

/// What is wrong with one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub document: DocumentId,
    /// What is wrong, in words for people.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.document, self.what)
    }
}

/// What was looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Documents looked at.
    pub documents: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Looks at every living document.
///
/// # Errors
/// When the database cannot be read at all; what is wrong with a document is a finding.
pub async fn examine(db: &Db) -> Result<Report> {
    let mut report = Report::default();
    for document in journal::documents(db).await? {
        report.documents += 1;
        let found = match journal::load(db, document).await {
            Ok(loaded) => look(&loaded),
            Err(error) => vec![format!("{error:#}")],
        };
        report.findings.extend(found.into_iter().map(|what| Finding { document, what }));
    }
    Ok(report)
}

fn look(loaded: &Loaded) -> Vec<String> {
    let mut found = Vec::new();
    let first = loaded.head.seq - i64::try_from(loaded.rows.len()).unwrap_or(i64::MAX) + 1;
    let snapshot = loaded.snapshot.iter().map(|(seq, bytes)| (format!("the snapshot at row {seq}"), bytes));
    let rows = loaded.rows.iter().zip(first..).map(|(bytes, seq)| (format!("row {seq}"), bytes));
    let parts: Vec<_> = snapshot.chain(rows).collect();
    for (name, bytes) in &parts {
        if let Err(wrong) = summary(bytes) {
            found.push(format!("{name} cannot be read: {wrong}"));
        }
    }
    if !found.is_empty() {
        return found;
    }
    let bytes: Vec<_> = parts.iter().map(|(_, bytes)| bytes).collect();
    match merge(&bytes).and_then(|merged| summary(&merged)) {
        Err(wrong) => found.push(format!("its rows cannot be merged: {wrong}")),
        Ok(summary) if !summary.whole => found.push("its rows leave gaps: something is missing".to_owned()),
        Ok(summary) => {
            let owned: HashSet<ClientId> = loaded.owners.iter().map(|(client, _)| *client).collect();
            let unowned = summary.state_vector.iter().filter(|(client, _)| !owned.contains(client));
            found.extend(unowned.map(|(client, _)| format!("client {client} wrote in it and is nobody's")));
        }
    }
    found
}
