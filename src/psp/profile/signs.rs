//! Coverage of a form's signatures: the places that a stranger cannot change.

use super::{Form, Signature};
use crate::psp::document::place::{Piece, Place};

/// Whether every signature of the form covers a place. A fetched place counts as covered: the relay has asked for it itself.
pub(super) fn is_signed(form: &Form, place: &Place) -> bool {
    !form.signature.is_empty() && form.signature.iter().all(|signature| covers(form, signature, place))
}

fn covers(form: &Form, signature: &Signature, place: &Place) -> bool {
    match place {
        Place::Text(_) | Place::Fetched(_) => true,
        Place::Part(_, place) => covers(form, signature, place),
        Place::Joined(pieces) => pieces.iter().all(|piece| match piece {
            Piece::Text(_) => true,
            Piece::Place(place) => covers(form, signature, place),
        }),
        Place::Type => {
            form.event_type.iter().flat_map(|part| part.as_slice()).all(|part| covers(form, signature, part))
        }
        Place::SignedAt => signature.time.is_some(),
        Place::Header(_) => signature.signed.contains(place),
        Place::Message(_) => covers_body(form, signature) || signature.signed.contains(place),
        _ => covers_body(form, signature),
    }
}

/// Whether a signature covers the whole body, so that no other body has the same signature.
fn covers_all(signature: &Signature) -> bool {
    signature.signed.iter().any(|place| matches!(place, Place::Body | Place::BodySha256))
}

/// Whether a signature covers the body by a checksum only. Anybody can make another body of the same checksum, so the
/// signature belongs to the first body that comes with it.
fn covers_checksum(signature: &Signature) -> bool {
    !covers_all(signature) && signature.signed.contains(&Place::BodyCrc32)
}

/// Whether a signature covers the whole body, or all of it that is read.
pub(super) fn covers_body(form: &Form, signature: &Signature) -> bool {
    let inner = form.content.inner.as_ref().map(|inner| &inner.pointer);
    covers_all(signature)
        || covers_checksum(signature)
        || signature.signed.iter().any(|place| matches!(place, Place::Message(pointer) if inner == Some(pointer)))
}

impl Form {
    /// Whether each of its signatures covers some part of the notification. If not, credentials or a secret that is sent along
    /// vouch for it as a whole. A stranger who has caught one notification can make others then.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        !self.signature.is_empty() && self.signature.iter().all(protects)
    }

    /// Whether the form is protected, but not its whole body and all headers that it is read with. A stranger who has caught
    /// one notification can make many of it that verify.
    #[must_use]
    pub fn is_partly_signed(&self) -> bool {
        let is_whole = self.signature.iter().all(covers_all);
        self.is_protected() && !(is_whole && self.unsigned_headers.is_empty())
    }

    /// Whether a signature covers the body by a checksum only. Its signed text belongs to the first body that comes with it.
    #[must_use]
    pub fn binds_body(&self) -> bool {
        self.is_protected() && self.signature.iter().any(covers_checksum)
    }

    /// Whether each of its signatures covers the whole body, itself or by a checksum.
    #[must_use]
    pub fn is_signed_whole(&self) -> bool {
        self.is_protected() && self.signature.iter().all(|one| covers_all(one) || covers_checksum(one))
    }

    /// Whether a stranger who has caught a notification can lead it to another record. Its signed text counts for the records
    /// that it reached first. A pointer is not loose, since the rules read the response.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.is_protected() && !self.pointer_only && !(self.type_signed && self.ids_signed)
    }

    /// Whether a stranger who has caught a notification can change something that the rules read. Its signed text belongs to
    /// the first content that came with it. A text that binds its body does so anyway, and of a pointer the response is read.
    #[must_use]
    pub fn reads_unsigned(&self) -> bool {
        let is_covered = self.signature.iter().all(|one| covers_body(self, one)) && self.unsigned_headers.is_empty();
        self.is_partly_signed() && !self.binds_body() && !self.pointer_only && !is_covered
    }

    /// Whether its signatures cover this place.
    #[must_use]
    pub fn signs(&self, place: &Place) -> bool {
        is_signed(self, place)
    }
}

/// Whether a signature covers any part of the notification that it comes with.
fn protects(signature: &Signature) -> bool {
    let own = |place: &Place| {
        matches!(
            place,
            Place::Body | Place::BodySha256 | Place::BodyCrc32 | Place::Message(_) | Place::Header(_) | Place::SignedAt
        )
    };
    signature.signed.iter().any(own)
}
