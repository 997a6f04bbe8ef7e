//! The keys that a person's terminal holds: a file that only they can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The keys, by the addresses of their servers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    servers: BTreeMap<String, Login>,
}

/// As whom one is signed in to a server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Login {
    pub(super) key: String,
    pub(super) user: String,
}

impl Kept {
    /// What is in the file; nothing where there is none.
    pub(super) fn read(file: &Path) -> Result<Self> {
        match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} cannot be understood; mend or remove it", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Writes the file anew, readable for its owner only from its first byte on; or removes it where nothing is kept.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let cannot = || format!("cannot write {}", file.display());
        if self.servers.is_empty() {
            return match fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(cannot),
                _ => Ok(()),
            };
        }
        let folder = file.parent().with_context(cannot)?;
        folder_for_one(folder).with_context(cannot)?;
        let text = serde_json::to_vec_pretty(self).with_context(cannot)?;
        let beside = folder.join(format!(".credentials-{}", Uuid::now_v7()));
        let written = private_file(&beside).and_then(|mut new| {
            new.write_all(&text)?;
            new.sync_all()?;
            fs::rename(&beside, file)
        });
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written.with_context(cannot)
    }

    /// Keeps a login; answers the one before it.
    pub(super) fn put(&mut self, server: &str, login: Login) -> Option<Login> {
        self.servers.insert(server.to_owned(), login)
    }

    /// Forgets a login.
    pub(super) fn take(&mut self, server: &str) -> Option<Login> {
        self.servers.remove(server)
    }
}

fn folder_for_one(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
