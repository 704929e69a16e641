/// The content types that an end takes: the value of `a=accept-types` (RFC 4975 section 8.6).
public struct AcceptTypes: Sendable, Hashable {
    private let everything: Bool
    private let types: Set<String>

    /// Takes everything: `*`.
    public static let all = AcceptTypes("*")

    /// Reads a value: types separated by blanks, `*` for all, `text/*` for all of a kind.
    public init(_ value: String) {
        let types = value.split(separator: " ").map { $0.lowercased() }
        self.everything = types.contains("*")
        self.types = Set(types)
    }

    /// Whether a Content-Type, whatever its parameters, is among the types.
    public func contains(_ contentType: String) -> Bool {
        if self.everything { return true }
        let bare = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
        if self.types.contains(bare) { return true }
        guard let slash = bare.firstIndex(of: "/") else { return false }
        return self.types.contains(bare[...slash] + "*")
    }
}
