//! E-mail addresses, cleaned up so that one mailbox is one address (spec: cockatrice-behaviour 3.3).

/// An address in the form that is stored and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    user: String,
    domain: String,
}

impl Email {
    /// Cleans an address up. `None` if it does not look like `user@domain.tld`.
    ///
    /// Mailboxes of some providers have many addresses: dots, and what follows a `+` or `-`, make no difference.
    pub fn clean(address: &str) -> Option<Email> {
        let (user, domain) = address.split_once('@')?;
        if !is_user(user) || !is_domain(domain) {
            return None;
        }
        let is = |provider: &str| domain.eq_ignore_ascii_case(provider);
        let (user, domain) = if is("gmail.com") || is("googlemail.com") {
            let (user, _) = user.split_once('+').unwrap_or((user, ""));
            (user.replace('.', ""), "gmail.com")
        } else if is("yahoo.com") {
            let (user, _) = user.split_once('-').unwrap_or((user, ""));
            (user.to_owned(), domain)
        } else {
            (user.to_owned(), domain)
        };
        let domain = domain.to_owned();
        (!user.is_empty()).then_some(Email { user, domain })
    }

    /// The stored form of an address, which is `@` of one that is none.
    pub fn stored(address: &str) -> String {
        let email = Email::clean(address);
        email.map_or_else(|| "@".to_owned(), |email| email.to_string())
    }

    /// What is behind the `@`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether an address means the same mailbox as a stored one.
    pub fn is_same(address: &str, stored: &str) -> bool {
        Email::clean(address).is_some_and(|email| {
            email
                .to_string()
                .eq_ignore_ascii_case(&Email::stored(stored))
        })
    }
}

impl std::fmt::Display for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.domain)
    }
}

/// Whether a list of providers, between commas, has the domain: the whole of it, in any case.
pub fn is_listed(providers: &str, domain: &str) -> bool {
    let mut providers = providers.split(',').map(str::trim);
    providers.any(|provider| provider.eq_ignore_ascii_case(domain))
}

fn is_user(user: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    !user.is_empty() && user.bytes().all(is_allowed)
}

/// Labels between dots, the last of letters.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.bytes().all(is_allowed)
    };
    let Some((_, top)) = domain.rsplit_once('.') else {
        return false;
    };
    let is_top = top.starts_with(|first: char| first.is_ascii_alphabetic());
    top.len() >= 2 && is_top && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_is_one_address() {
        let cases = [
            ("h.x+y@googlemail.com", "hx@gmail.com"),
            ("H.x+y+z@GMail.com", "Hx@gmail.com"),
            ("a.b-c-d@yahoo.com", "a.b@yahoo.com"),
            ("a.b+c-d@example.org", "a.b+c-d@example.org"),
            ("a@Sub.Example.museum", "a@Sub.Example.museum"),
        ];
        for (address, stored) in cases {
            assert_eq!(Email::stored(address), stored);
        }
    }

    #[test]
    fn what_is_no_address_is_stored_as_an_at_sign() {
        let none = [
            "",
            "not an address",
            "@",
            "a@b",
            "a@.org",
            "a@b..org",
            "@example.org",
            "a@b@example.org",
            "a b@example.org",
            "a@example.o",
            "a@127.0.0.1",
            "+x@gmail.com",
            "ä@example.org",
        ];
        for address in none {
            assert_eq!(Email::stored(address), "@", "{address}");
        }
        assert!(!Email::is_same("", "@") && !Email::is_same("@", "@"));
    }

    #[test]
    fn addresses_are_compared_cleaned_and_in_any_case() {
        assert!(Email::is_same("Alice@Example.org", "alice@example.org"));
        assert!(Email::is_same("h.x@googlemail.com", "hx@gmail.com"));
        assert!(!Email::is_same("bob@example.org", "alice@example.org"));
    }

    #[test]
    fn providers_are_whole_domains_in_any_case() {
        let providers = "example.org, Example.COM";
        assert!(is_listed(providers, "Example.org") && is_listed(providers, "example.com"));
        assert!(!is_listed(providers, "ample.org") && !is_listed("", "example.org"));
    }
}
