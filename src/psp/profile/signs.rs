//! What the signatures of a form cover.

use super::{Form, Signature};
use crate::psp::document::place::{Piece, Place};

/// Whether every way in which the form may be signed covers a place. What is fetched, the relay has asked for itself.
pub(super) fn is_signed(form: &Form, place: &Place) -> bool {
    !form.signature.is_empty() && form.signature.iter().all(|signature| covers(form, signature, place))
}

fn covers(form: &Form, signature: &Signature, place: &Place) -> bool {
    match place {
        Place::Text(_) | Place::Fetched(_) => true,
        Place::Tail(place) => covers(form, signature, place),
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

/// Whether it covers all of the body, so that no other body has the same signature.
fn covers_all(signature: &Signature) -> bool {
    signature.signed.iter().any(|place| matches!(place, Place::Body | Place::BodySha256))
}

/// Whether it covers the body by a checksum only. Anybody can make another body of the same checksum, so the signature belongs
/// to the first body that comes with it.
fn covers_checksum(signature: &Signature) -> bool {
    !covers_all(signature) && signature.signed.contains(&Place::BodyCrc32)
}

/// Whether it covers all of the body, or all that is read of it.
pub(super) fn covers_body(form: &Form, signature: &Signature) -> bool {
    let inner = form.content.inner.as_ref().map(|inner| &inner.pointer);
    covers_all(signature)
        || covers_checksum(signature)
        || signature.signed.iter().any(|place| matches!(place, Place::Message(pointer) if inner == Some(pointer)))
}

impl Form {
    /// Whether a signature covers anything of it, whichever of its signatures it has. If not, credentials or a secret that comes
    /// along vouches for it as a whole, and whoever has caught one can make others.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        !self.signature.is_empty() && self.signature.iter().all(protects)
    }

    /// Whether it is protected, but not all of its body and of the headers that it is read with: whoever has caught one can make
    /// many of it that verify.
    #[must_use]
    pub fn is_partly_signed(&self) -> bool {
        let is_whole = self.signature.iter().all(covers_all);
        self.is_protected() && !(is_whole && self.unsigned_headers.is_empty())
    }

    /// Whether a signature covers its body, but by a checksum only: what is signed belongs to the first body that comes with it.
    #[must_use]
    pub fn binds_body(&self) -> bool {
        self.is_protected() && self.signature.iter().any(covers_checksum)
    }

    /// Whether the body as a whole is signed, by whatever its signatures are.
    #[must_use]
    pub fn is_signed_whole(&self) -> bool {
        self.is_protected() && self.signature.iter().all(|one| covers_all(one) || covers_checksum(one))
    }

    /// Whether whoever has caught one can lead it to another record: what is signed counts for the records that it reached
    /// first. What a pointer leads to is read of the answer.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.is_protected() && !self.pointer_only && !(self.type_signed && self.ids_signed)
    }

    /// Whether its signatures cover this place.
    #[must_use]
    pub fn signs(&self, place: &Place) -> bool {
        is_signed(self, place)
    }
}

/// Whether it covers anything of what it comes with.
fn protects(signature: &Signature) -> bool {
    let own = |place: &Place| {
        matches!(
            place,
            Place::Body | Place::BodySha256 | Place::BodyCrc32 | Place::Message(_) | Place::Header(_) | Place::SignedAt
        )
    };
    signature.signed.iter().any(own)
}
