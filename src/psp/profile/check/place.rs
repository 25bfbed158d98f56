//! Check of a place that a form or a rule reads.

use crate::psp::document::place::{Piece, Place};
use crate::psp::profile::Form;

/// Checks that the rules of a form can read a place.
pub(super) fn check_read(form: &Form, place: &Place) -> Result<(), String> {
    match place.root() {
        Place::Body | Place::Secret | Place::Given | Place::Signature | Place::Setting(_) | Place::Url(_) => {
            Err(format!("{place} cannot be read by a rule"))
        }
        Place::Fetched(_) if form.fetch.is_none() => Err(format!("{place}: there is no fetch")),
        Place::Fetched(_) | Place::Element(_) | Place::Text(_) | Place::Type => Ok(()),
        Place::Joined(pieces) => pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(_) => Ok(()),
            Piece::Place(place) => check_read(form, place),
        }),
        _ if form.pointer_only => {
            Err(format!("{place}: the rules of a pointer_only notification cannot read it; they read fetched:/…"))
        }
        _ => Ok(()),
    }
}
