public import ByteGrammar

/// A dialog named by its Call-ID and tags: Replaces (RFC 3891), Join (RFC 3911), Target-Dialog (RFC 4538).
///
/// The names of the tags depend on the header field; which of them is the local tag is decided by ``Kind``.
public struct DialogReference: HeaderValue {
    /// The header field that names the dialog.
    public enum Kind: Sendable, Hashable {
        /// `to-tag` is the local tag of whoever receives the request.
        case replacesOrJoin
        /// `local-tag` is the local tag of whoever sends the request.
        case targetDialog
    }

    /// The Call-ID.
    public var callID: String
    /// The parameters, tags included.
    public var parameters: Parameters

    /// Makes a Replaces or Join value; the tags are those of the receiver.
    public init(replacing dialog: DialogID, earlyOnly: Bool = false) {
        self.callID = dialog.callID
        self.parameters = [Parameter("to-tag", dialog.localTag), Parameter("from-tag", dialog.remoteTag)]
        if earlyOnly { self.parameters.items.append(Parameter("early-only")) }
    }

    /// Whether only an early dialog may be replaced (RFC 3891 section 3).
    public var isEarlyOnly: Bool { self.parameters.contains("early-only") }

    /// The dialog as the receiver of the request knows it, or nil when a tag is missing.
    public func dialogID(_ kind: Kind) -> DialogID? {
        let names = kind == .targetDialog ? ("remote-tag", "local-tag") : ("to-tag", "from-tag")
        guard let local = self.parameters[names.0], let remote = self.parameters[names.1] else { return nil }
        return DialogID(callID: self.callID, localTag: local, remoteTag: remote)
    }

    /// The value as it is printed.
    public var description: String { "\(self.callID)\(self.parameters)" }

    /// The value escaped for the headers of a URI, as Refer-To carries it.
    public var escapedForURI: String { PercentEncoding.encode(self.description.utf8, unescaped: .uriHeader) }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let word = cursor.token(.word) else {
            throw SIPError(.malformedHeaderValue, "expected a Call-ID", offset: cursor.offset)
        }
        var end = word.upperBound
        if cursor.take(0x40) {
            guard let host = cursor.token(.word) else {
                throw SIPError(.malformedHeaderValue, "nothing behind the @ of a Call-ID", offset: cursor.offset)
            }
            end = host.upperBound
        }
        self.callID = cursor.text(word.lowerBound..<end)
        self.parameters = try Parameters(parsing: &cursor)
    }
}
