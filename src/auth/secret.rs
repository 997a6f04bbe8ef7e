//! Random secrets (tokens, invites) and the digests by which they are stored.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

/// SHA-256 of a secret; what the database holds instead of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// 256 random bits as base64url: nothing to guess, so a plain digest protects it at rest.
pub struct Secret(String);

/// The digest of a secret's text.
#[must_use]
pub fn digest(text: &str) -> Digest {
    Digest(Sha256::digest(text.as_bytes()).into())
}

impl Digest {
    /// Its bytes, as a column holds them.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Secret {
    /// A fresh secret.
    ///
    /// # Panics
    /// When the operating system gives no random bytes; nothing safe can be done then.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a default secret would be a random one")]
    pub fn new() -> Self {
        let mut bytes = [0_u8; 32];
        OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest(&self.0)
    }

    /// The secret itself, to be told to its owner once.
    #[must_use]
    pub fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_printed() {
        let secret = Secret::new();
        assert_eq!(format!("{secret:?} {:?}", secret.digest()), "Secret(…) Digest(…)");
        assert_eq!(secret.digest(), digest(&secret.0));
        assert_eq!(secret.reveal().len(), 43);
    }
}
