//! Digests, by which contents and texts are told apart.

/// The first 16 bytes of a SHA-256. They are enough to tell contents apart, and halve the index.
pub(in crate::store) fn digest(bytes: &[u8]) -> [u8; 16] {
    use sha2::Digest;
    let full: [u8; 32] = sha2::Sha256::digest(bytes).into();
    let mut cut = [0; 16];
    cut.copy_from_slice(&full[..16]);
    cut
}
