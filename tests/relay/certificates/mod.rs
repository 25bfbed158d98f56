//! Certificates of PSPs that sign with one.

mod paypal;
