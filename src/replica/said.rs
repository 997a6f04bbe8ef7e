//! Everything a document says, whatever the types of its roots: as a digest to compare two documents by, and as JSON.
//!
//! Nothing in a document tells of what type a root is; whoever opens it decides. So a root is looked at as text, as a list
//! and as a map at once.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use yrs::any::Number;
use yrs::types::ToJson;
use yrs::types::text::YChange;
use yrs::{
    Any, Array, Doc, GetString, Map, MapRef, Out, ReadTxn, Text, TextRef, Transact, Xml, XmlElementRef, XmlFragment,
    XmlOut,
};

use super::wire::Reply;

/// A root by its name, as each of the types that it may be.
struct Root {
    name: Arc<str>,
    text: TextRef,
    list: yrs::ArrayRef,
    map: MapRef,
}

fn roots(doc: &Doc) -> Vec<Root> {
    let mut names: Vec<Arc<str>> = doc.transact().root_refs().map(|(name, _)| name.into()).collect();
    names.sort();
    let root = |name: Arc<str>| Root {
        text: doc.get_or_insert_text(name.clone()),
        list: doc.get_or_insert_array(name.clone()),
        map: doc.get_or_insert_map(name.clone()),
        name,
    };
    names.into_iter().map(root).collect()
}

/// A digest of what every root says. A root that holds nothing says nothing.
pub(super) fn digest(doc: &Doc) -> Reply {
    let roots = roots(doc);
    let txn = doc.transact();
    let mut digest = Sha256::new();
    for Root { name, text, list, map } in roots {
        let mut said = Said::default();
        said.text(&text, &txn);
        // In a text that is nothing else a list would name each character.
        if text.diff(&txn, YChange::identity).iter().map(|chunk| units(&chunk.insert)).sum::<u32>() != list.len(&txn) {
            list.iter(&txn).for_each(|one| said.out(&one, &txn));
        }
        said.map(&map, &txn);
        if said.0.len() > Said::NOTHING_BYTES {
            digest.update((name.len() as u64).to_le_bytes());
            digest.update(name.as_bytes());
            digest.update((said.0.len() as u64).to_le_bytes());
            digest.update(&said.0);
        }
    }
    Reply::Text(format!("{:x}", digest.finalize()))
}

fn units(chunk: &Out) -> u32 {
    match chunk {
        Out::Any(Any::String(said)) => u32::try_from(said.encode_utf16().count()).unwrap_or(u32::MAX),
        _ => 1,
    }
}

/// What was said, in one form for everything that is equal: the entries of maps in the order of their names.
#[derive(Default)]
struct Said(Vec<u8>);

impl Said {
    /// What an empty text and an empty map take.
    const NOTHING_BYTES: usize = 2 * (1 + 8);

    fn head(&mut self, kind: u8, count: usize) {
        self.0.push(kind);
        self.0.extend((count as u64).to_le_bytes());
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.head(kind, bytes.len());
        self.0.extend(bytes);
    }

    fn out(&mut self, value: &Out, txn: &impl ReadTxn) {
        match value {
            Out::Any(any) => self.any(any),
            Out::YText(text) => self.text(text, txn),
            Out::YArray(list) => {
                self.head(b'l', list.len(txn) as usize);
                list.iter(txn).for_each(|one| self.out(&one, txn));
            }
            Out::YMap(map) => self.map(map, txn),
            Out::YXmlElement(element) => self.element(element, txn),
            Out::YXmlFragment(fragment) => {
                self.head(b'x', fragment.len(txn) as usize);
                fragment.children(txn).for_each(|child| self.node(&child, txn));
            }
            Out::YXmlText(text) => self.node(&XmlOut::Text(text.clone()), txn),
            Out::YDoc(doc) => self.bytes(b'd', doc.guid().as_bytes()),
            Out::UndefinedRef(_) => self.head(b'?', 0),
        }
    }

    fn text(&mut self, text: &impl Text, txn: &impl ReadTxn) {
        let chunks = text.diff(txn, YChange::identity);
        self.head(b't', 0);
        let mut last: Option<Vec<u8>> = None;
        for chunk in chunks {
            let mut format = Self::default();
            format.entries(chunk.attributes.iter().flat_map(|attributes| attributes.iter()));
            // How a run of one format is cut tells of marks that change nothing.
            if last.as_ref() != Some(&format.0) {
                self.bytes(b'f', &format.0);
                last = Some(format.0);
            }
            match &chunk.insert {
                Out::Any(Any::String(said)) => self.0.extend(said.as_bytes()),
                other => self.out(other, txn),
            }
        }
    }

    fn map(&mut self, map: &MapRef, txn: &impl ReadTxn) {
        let mut entries: Vec<(&str, Out)> = map.iter(txn).collect();
        entries.sort_by(|a, b| a.0.cmp(b.0));
        self.head(b'm', entries.len());
        for (name, value) in entries {
            self.bytes(b'k', name.as_bytes());
            self.out(&value, txn);
        }
    }

    fn node(&mut self, node: &XmlOut, txn: &impl ReadTxn) {
        match node {
            XmlOut::Element(element) => self.element(element, txn),
            XmlOut::Fragment(fragment) => self.out(&Out::YXmlFragment(fragment.clone()), txn),
            XmlOut::Text(text) => {
                self.attributes(text, txn);
                self.text(text, txn);
            }
        }
    }

    fn element(&mut self, element: &XmlElementRef, txn: &impl ReadTxn) {
        self.bytes(b'e', element.tag().as_bytes());
        self.attributes(element, txn);
        self.head(b'x', element.len(txn) as usize);
        element.children(txn).for_each(|child| self.node(&child, txn));
    }

    fn attributes(&mut self, node: &impl Xml, txn: &impl ReadTxn) {
        let mut attributes: Vec<(&str, Out)> = node.attributes(txn).collect();
        attributes.sort_by(|a, b| a.0.cmp(b.0));
        self.head(b'a', attributes.len());
        for (name, value) in attributes {
            self.bytes(b'k', name.as_bytes());
            self.out(&value, txn);
        }
    }

    fn any(&mut self, any: &Any) {
        match any {
            Any::Null => self.head(b'0', 0),
            Any::Undefined => self.head(b'u', 0),
            Any::Bool(truth) => self.bytes(b'b', &[u8::from(*truth)]),
            Any::Number(Number::Float(number)) => self.bytes(b'n', &number.to_bits().to_le_bytes()),
            Any::Number(Number::Int(number)) => self.bytes(b'i', &number.to_le_bytes()),
            Any::String(text) => self.bytes(b's', text.as_bytes()),
            Any::Buffer(bytes) => self.bytes(b'y', bytes),
            Any::Array(list) => {
                self.head(b'l', list.len());
                list.iter().for_each(|one| self.any(one));
            }
            Any::Map(map) => self.entries(map.iter()),
        }
    }

    fn entries<'a, N: AsRef<str> + 'a>(&mut self, entries: impl Iterator<Item = (&'a N, &'a Any)>) {
        let sorted: HashMap<&str, &Any> = entries.map(|(name, value)| (name.as_ref(), value)).collect();
        let mut sorted: Vec<_> = sorted.into_iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(b.0));
        self.head(b'm', sorted.len());
        for (name, value) in sorted {
            self.bytes(b'k', name.as_bytes());
            self.any(value);
        }
    }
}

/// The content of a root as JSON, as the type that its content looks like; `null` for one that does not exist.
pub(super) fn json(doc: &Doc, root: &str) -> Reply {
    let found = roots(doc).into_iter().find(|one| *one.name == *root);
    let txn = doc.transact();
    let value = match found {
        None => Any::Null,
        Some(Root { map, .. }) if map.len(&txn) > 0 => map.to_json(&txn),
        Some(Root { text, list, .. }) => {
            let said = text.get_string(&txn);
            if said.is_empty() && list.len(&txn) > 0 { list.to_json(&txn) } else { Any::from(said) }
        }
    };
    let mut json = String::new();
    value.to_json(&mut json);
    Reply::Text(json)
}
