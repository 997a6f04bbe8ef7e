//! Scans as text, in the words of the oracle; and updates without the freedom that two writers have.

use std::collections::BTreeMap;

use coterie::update::{Id, IdSet, Kind, Scan, scan};

use super::bytes::number;

/// The structs and deletions of a scan, as the oracle writes what Yjs decodes.
pub(super) fn described(scan: &Scan) -> String {
    let id = |id: Option<Id>| id.map_or("-".into(), |id| id.to_string());
    let mut lines = Vec::new();
    for section in &scan.sections {
        for one in scan.structs_of(section) {
            let kind = if one.kind == Kind::Skip { 10 } else { one.kind as u8 - u8::from(one.kind as u8 > 1) };
            lines.push(format!(
                "{} {} {} {} {} {} {}",
                section.client,
                one.clock,
                one.len,
                kind,
                id(one.origin),
                id(one.right),
                id(one.parent)
            ));
        }
    }
    let deletions: Vec<String> = scan
        .deletions
        .iter()
        .map(|(client, range)| format!("{client}:{}+{}", range.start, range.end - range.start))
        .collect();
    format!("{}\n\n{}", lines.join("\n"), deletions.join(" "))
}

/// A set of ids, as the oracle writes the deletions of a document.
pub(super) fn ids(set: &IdSet) -> String {
    let mut clients: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (client, range) in set.iter() {
        clients.entry(client.0).or_default().push(format!("{}+{}", range.start, range.end - range.start));
    }
    clients.iter().map(|(client, ranges)| format!("{client}:{}", ranges.join(","))).collect::<Vec<_>>().join(" ")
}

/// The same update, in the one of several equal forms: adjacent garbage is one struct, as where Yjs merges, and an
/// item with a neighbour does not say that it is a map entry, as where Yjs reads an update without a document.
pub(super) fn normal(update: &[u8]) -> Vec<u8> {
    const HAS_SUB: u8 = 0x20;
    const HAS_NEIGHBOUR: u8 = 0xc0;
    let scan = scan(update).unwrap();
    let mut out = number(scan.sections.len() as u64);
    for section in &scan.sections {
        let mut structs: Vec<Vec<u8>> = Vec::new();
        let mut garbage = 0;
        for one in scan.structs_of(section) {
            if one.kind == Kind::Gc {
                if garbage > 0 {
                    structs.pop();
                }
                garbage += one.len;
                structs.push([vec![0], number(garbage.into())].concat());
                continue;
            }
            garbage = 0;
            let mut bytes = update[one.bytes.clone()].to_vec();
            if bytes[0] & HAS_NEIGHBOUR != 0 {
                bytes[0] &= !HAS_SUB;
            }
            structs.push(bytes);
        }
        out.extend(number(structs.len() as u64));
        out.extend(number(section.client.0));
        out.extend(number(section.clock.into()));
        out.extend(structs.concat());
    }
    scan.deletions.encode_into(&mut out);
    out
}
