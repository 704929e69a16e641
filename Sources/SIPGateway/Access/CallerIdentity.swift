import MessagingCore
import SIP

/// Who a request of a phone says it is from.
enum CallerIdentity {
    /// Whether everything beside From that names its sender (RFC 3325, section 9) names the account: a phone is outside of
    /// the domain of trust, so that what it asserts is a claim like any other.
    ///
    /// - Parameter own: the account's addresses.
    static func isOwn(_ request: SIPMessage, _ own: [Address]) -> Bool {
        [HeaderName.pAssertedIdentity, .pPreferredIdentity].allSatisfy { header in
            guard request.contains(header) else { return true }
            guard let names = try? request.list(header, as: NameAddress.self) else { return false }
            return names.allSatisfy { name in (try? Address(name.uri.description)).map(own.contains) ?? false }
        }
    }
}
