//! Operators: people with tokens and a role. The role says which routes are theirs.

use super::credentials::Credentials;

/// The role of an operator. A higher role may do all that a lower one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads what the relay knows.
    Look,
    /// Has dead letters judged anew and Transform told again, too.
    Act,
    /// Registers and removes records, too.
    Manage,
}

impl Role {
    /// All roles, from the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::Look, Self::Act, Self::Manage];

    /// The name of the role in the configuration and in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Act => "act",
            Self::Manage => "manage",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// An operator. The name is the key under which the configuration has it.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The operator's role.
    pub role: Role,
    /// The operator's tokens. Operators have no other credentials.
    pub credentials: Credentials,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_is_greater_and_each_has_its_name() {
        assert!(Role::ALL.is_sorted());
        assert_eq!(Role::ALL.map(|role| Role::named(role.name())), Role::ALL.map(Some));
        assert_eq!(Role::named("Look"), None);
    }
}
