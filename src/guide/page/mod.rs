//! The page of a PSP for docs/psp: what people who set it up have to know, in Markdown, from the profile itself.

mod events;
mod proofs;
mod sections;
mod words;

pub use self::sections::page;
