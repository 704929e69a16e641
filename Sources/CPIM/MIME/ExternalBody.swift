internal import ByteGrammar

/// Content kept elsewhere and named by a URL, `message/external-body` (RFC 4483).
public struct ExternalBody: Sendable, Hashable {
    /// The media type.
    public static let contentType = "message/external-body"

    /// Where the content is; HTTP over TLS in any sane use.
    public var url: String
    /// When the URL ends, as an RFC 5322 date in GMT; mandatory.
    public var expiration: String
    /// The size of the content in octets.
    public var size: UInt64?
    /// The headers of the content itself; Content-Type and Content-Disposition among them.
    public var headers: [MIMEHeader]

    /// Makes a reference.
    public init(url: String, expiration: String, size: UInt64? = nil, headers: [MIMEHeader]) {
        self.url = url
        self.expiration = expiration
        self.size = size
        self.headers = headers
    }

    /// Reads the reference that an entity holds.
    ///
    /// - Throws: ``CPIMError`` when the entity is of another type, the access type is not URL, or the URL, the
    ///   expiration or the inner Content-Type is absent.
    public init(_ entity: MIMEEntity, limits: CPIMLimits = .standard) throws(CPIMError) {
        guard let type = entity.mediaType, type.essence == Self.contentType else {
            throw CPIMError(.unexpectedType, Self.contentType)
        }
        guard type.parameter("access-type")?.lowercased() == "url" else {
            throw CPIMError(.invalidExternalBody, "access-type URL")
        }
        guard let url = type.parameter("url"), !url.isEmpty else {
            throw CPIMError(.invalidExternalBody, "a URL")
        }
        guard let expiration = type.parameter("expiration"), !expiration.isEmpty else {
            throw CPIMError(.invalidExternalBody, "an expiration")
        }
        let inner = try MIMEEntity(parsing: Array(entity.body), limits: limits)
        guard inner.mediaType != nil else {
            throw CPIMError(.invalidExternalBody, "the Content-Type of the content")
        }
        // A URL may be folded; white space is no part of it (RFC 2017 section 3).
        self.init(
            url: String(String.UnicodeScalarView(url.unicodeScalars.filter { !$0.properties.isWhitespace })),
            expiration: expiration,
            size: type.parameter("size").flatMap { ByteText.decimal($0.utf8) },
            headers: inner.headers
        )
    }

    /// The reference as an entity.
    public var entity: MIMEEntity {
        var parameters = [
            MediaType.Parameter(name: "access-type", value: "URL"),
            MediaType.Parameter(name: "expiration", value: self.expiration),
            MediaType.Parameter(name: "url", value: self.url),
        ]
        if let size = self.size { parameters.append(MediaType.Parameter(name: "size", value: String(size))) }
        let type = MediaType(type: "message", subtype: "external-body", parameters: parameters)
        let inner = MIMEEntity(headers: self.headers, body: [])
        return MIMEEntity(contentType: type.description, body: inner.bytes)
    }
}
