//! The page of a PSP for docs/psp, in Markdown: the set-up, made from the profile itself.

mod events;
mod proofs;
mod sections;
mod words;

pub use self::sections::page;
