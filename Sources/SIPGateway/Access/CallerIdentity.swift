import MessagingCore
import SIP

/// Who a request of a phone says it is from.
enum CallerIdentity {
    /// Whether all that names the sender of a request names the account. Within a dialog From was settled when it began.
    ///
    /// - Parameter own: the account's addresses.
    static func isCaller(_ request: SIPMessage, _ own: [Address]) -> Bool {
        guard isOwn(request, own) else { return false }
        if (try? request.dialogIDAtServer()) ?? nil != nil { return true }
        guard let from = try? request.from().uri, let address = try? Address(from.description) else { return false }
        return own.contains(address)
    }

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
