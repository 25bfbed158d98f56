//! A notification with the form whose rules read it, verified or not.

use crate::psp::document::received::Received;
use crate::psp::profile::Form;
use crate::psp::vouch::verify::Verified;

/// A notification and its form, for the rules. It states nothing about trust: only [`Verified`] does, and only
/// [`crate::psp::vouch::verify::verify`] makes one. Notifications from the store and those shown by a tool are read through
/// this type alone.
#[derive(Debug, Clone, Copy)]
pub struct InForm<'a> {
    /// The notification.
    pub received: Received<'a>,
    /// The form whose rules read it.
    pub form: &'a Form,
    /// The signature's timestamp, as text.
    pub signed_at: Option<&'a str>,
}

impl<'a> InForm<'a> {
    /// A notification without a signed time, read by the rules of a form.
    #[must_use]
    pub const fn new(form: &'a Form, received: Received<'a>) -> Self {
        Self { received, form, signed_at: None }
    }
}

impl<'a> From<&Verified<'a>> for InForm<'a> {
    fn from(verified: &Verified<'a>) -> Self {
        Self { received: *verified.received(), form: verified.form(), signed_at: verified.signed_at() }
    }
}
