/// A CPM address in canonical form: `sip:user@domain` or `tel:+number`.
///
/// Made canonical once, at the edge, before rules, deduplication and routing (RFC 3261 section 19.1, RFC 3966):
/// scheme and host in lower case, user part in lower case, no URI parameters, `user=phone` turned into `tel:`.
public struct Address: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// Reads `user@domain`, `sip:`, `sips:` or `tel:` addresses.
    /// - Throws: ``Refusal`` with code `invalid-address`, naming the text.
    public init(_ text: String) throws(Refusal) {
        guard let canonical = Self.canonical(text) else {
            throw Refusal(.invalidAddress, "not an address: write user@domain, sip:user@domain or tel:+number")
        }
        description = canonical
    }

    /// Wraps an address read back from the store.
    public init(stored text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.description < rhs.description }

    /// The domain after `@`; nil for a telephone number.
    public var domain: String? {
        guard let at = description.utf8.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        return String(description[description.utf8.index(after: at)...])
    }

    private static func canonical(_ text: String) -> String? {
        guard text.utf8.count <= Limits.addressBytes else { return nil }
        var rest = text[...]
        var scheme = "sip"
        if let colon = rest.firstIndex(of: ":"), !rest[..<colon].contains("@") {
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(after: colon)...]
        }
        switch scheme {
        case "tel": return telephone(rest)
        case "sip", "sips": return sip(rest)
        default: return nil
        }
    }

    private static func sip(_ text: Substring) -> String? {
        let bare = text.prefix { $0 != "?" }
        guard let at = bare.lastIndex(of: "@") else { return nil }
        let user = bare[..<at]
        var hostAndParameters = bare[bare.index(after: at)...].split(
            separator: ";",
            omittingEmptySubsequences: false
        )
        let host = hostAndParameters.removeFirst().lowercased()
        guard isHost(host) else { return nil }
        if hostAndParameters.contains(where: { $0.lowercased() == "user=phone" }) {
            return telephone(user)
        }
        let name = user.lowercased()
        guard !name.isEmpty, name.utf8.allSatisfy({ isAlphanumeric($0) || "-_.!~*'()&=+$%".utf8.contains($0) }) else {
            return nil
        }
        return "sip:\(name)@\(host)"
    }

    private static func telephone(_ text: Substring) -> String? {
        let digits = text.prefix { $0 != ";" }.filter { !"-.() ".contains($0) }
        guard digits.first == "+", (3...20).contains(digits.utf8.count),
            digits.utf8.dropFirst().allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return "tel:\(digits)"
    }

    private static func isHost(_ host: String) -> Bool {
        let bytes = host.utf8
        guard let first = bytes.first, let last = bytes.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
            && !zip(bytes, bytes.dropFirst()).contains { $0 == UInt8(ascii: ".") && $1 == UInt8(ascii: ".") }
    }
}
