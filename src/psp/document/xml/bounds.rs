//! The bounds of XML documents, and the reasons why a document is refused.

/// The most elements of a document.
pub const ELEMENTS_MAX: usize = 20_000;
/// The deepest nesting of a document.
pub const DEPTH_MAX: usize = 64;
/// The most attributes of one element, including declarations of namespaces.
pub const ATTRIBUTES_MAX: usize = 64;
/// The most attributes of a document, including declarations of namespaces.
pub const ALL_ATTRIBUTES_MAX: usize = 20_000;
/// The most namespaces in scope at one element.
pub const NAMESPACES_MAX: usize = 64;
/// The longest name of an element, an attribute or a namespace, in bytes.
pub const NAME_MAX: usize = 512;
/// The longest text of an element or value of an attribute, in bytes.
pub const TEXT_MAX: usize = 512 * 1024;

/// The reason why a document is refused. The message contains nothing of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// The document breaks a rule of XML or of its namespaces.
    #[error("not well-formed at {line}:{column}")]
    IllFormed {
        /// The line of the mistake, from 1.
        line: usize,
        /// The column in that line, in characters, from 1.
        column: usize,
    },
    /// The document declares entities or anything else of its own.
    #[error("a document type with declarations of its own, which are refused")]
    Declarations,
    /// The document is nested too deep.
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// The document has too many of something.
    #[error("more than {most} {what}")]
    TooMany {
        /// The thing that it has too many of.
        what: &'static str,
        /// The most that are allowed.
        most: usize,
    },
    /// A part of the document is too long.
    #[error("{what} of more than {most} bytes")]
    TooLong {
        /// The part that is too long.
        what: &'static str,
        /// The most bytes that are allowed.
        most: usize,
    },
}

/// The reason why a document is refused; none if it is not well-formed, since only the reader knows where.
pub(super) type Wrong = Option<XmlError>;

pub(super) const fn too_many(what: &'static str, most: usize) -> Wrong {
    Some(XmlError::TooMany { what, most })
}

pub(super) const fn too_long(what: &'static str, most: usize) -> Wrong {
    Some(XmlError::TooLong { what, most })
}
