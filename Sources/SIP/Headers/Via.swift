public import ByteGrammar
import NIOCore

/// One value of Via: the path of the answer (RFC 3261 section 20.42).
public struct Via: HeaderValue {
    /// The transport token as it was written: `UDP`, `TCP`, `TLS`, `WS`, `WSS` or any other.
    public var transport: String
    /// Where the sender says it is.
    public var sentBy: HostPort
    /// The parameters.
    public var parameters: Parameters

    /// Makes a Via.
    public init(transport: String, sentBy: HostPort, parameters: Parameters = []) {
        self.transport = transport
        self.sentBy = sentBy
        self.parameters = parameters
    }

    /// The `branch` parameter.
    public var branch: String? {
        get { self.parameters["branch"] }
        set { self.parameters["branch"] = newValue }
    }

    /// Whether the branch starts with the magic cookie, so that it is unique (RFC 3261 section 8.1.1.7).
    public var hasUniqueBranch: Bool { self.branch?.hasPrefix(Self.cookie) ?? false }

    /// The start of every branch that follows RFC 3261.
    public static let cookie = "z9hG4bK"

    /// The `received` parameter without brackets (RFC 5118 section 4.5 asks to take it both ways).
    public var received: String? {
        get { self.parameters["received"].map(Host.unbracketed) }
        set { self.parameters["received"] = newValue }
    }

    /// Whether the sender asks for the answer to go where the request came from (RFC 3581).
    public var asksForPort: Bool { self.parameters.contains("rport") }

    /// The port that the request came from, once a server has noted it (RFC 3581).
    public var receivedPort: UInt16? { self.parameters["rport"].flatMap { UInt16($0) } }

    /// The value as it is printed.
    public var description: String { "SIP/2.0/\(self.transport) \(self.sentBy)\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/malformedURI`` for the sent-by.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard cursor.take("SIP" as StaticString), cursor.separator(0x2F), cursor.take("2.0" as StaticString),
            cursor.separator(0x2F), let transport = cursor.token()
        else { throw SIPError(.malformedHeaderValue, "Via does not start with SIP/2.0/", offset: cursor.offset) }
        let blank = cursor.offset
        cursor.skipWhitespace()
        guard cursor.offset > blank else {
            throw SIPError(.malformedHeaderValue, "no space before the sent-by", offset: cursor.offset)
        }
        self.transport = cursor.text(transport)
        self.sentBy = try HostPort(parsing: &cursor, spaceAroundColon: true)
        self.parameters = try Parameters(parsing: &cursor)
    }

    /// Whether a server notes where a request of this Via came from: when that is another place than the sent-by, or
    /// when `rport` asks for it.
    func mustNote(sourceAddress: String) -> Bool {
        self.asksForPort || !Host.areEquivalent(Host.unbracketed(self.sentBy.host), sourceAddress)
    }
}

extension SIPMessage {
    /// Notes in the topmost Via where a request really came from (RFC 3261 section 18.2.1, RFC 3581 section 4):
    /// `received`, and the value of `rport` if that is there. All other octets stay as they were written.
    ///
    /// - Parameter via: The topmost Via of this message.
    public mutating func noteSource(address: String, port: UInt16, in via: Via) {
        guard via.mustNote(sourceAddress: address), let index = self.index(of: .via) else { return }
        let field = self.fields[index]
        let places = ViaPlaces(self.storage.readableBytesUInt8Span, field.value)
        let received = places.received ?? places.end..<places.end
        let rport = places.rport ?? places.end..<places.end
        let start = UInt32(self.storage.readableBytes)
        var copied = field.line.lowerBound
        for isPort in rport.lowerBound < received.lowerBound ? [true, false] : [false, true] {
            let place = isPort ? rport : received
            self.copyWithin(copied..<place.lowerBound)
            copied = place.upperBound
            if isPort {
                guard places.rport != nil else { continue }
                self.storage.writeStaticString("rport=")
                self.storage.writeString(String(port))
            } else {
                self.storage.writeStaticString(places.received == nil ? ";received=" : "received=")
                self.storage.writeString(address)
            }
        }
        self.copyWithin(copied..<field.line.upperBound)
        let end = UInt32(self.storage.readableBytes)
        self.fields[index] = FieldLine(
            start: start,
            end: end,
            valueStart: start + (field.valueStart - field.start),
            valueEnd: end - (field.end - field.valueEnd),
            nameLength: field.nameLength,
            id: field.id
        )
    }
}

/// Where the parameters of a topmost Via are that a server changes.
private struct ViaPlaces {
    private(set) var received: Range<Int>?
    private(set) var rport: Range<Int>?
    /// The end of the first value.
    private(set) var end: Int

    init(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        var cursor = ByteCursor(bytes.extracting(value))
        _ = cursor.take(until: Self.sentByEnd)
        self.end = value.lowerBound + cursor.offset
        while let parameter = try? Parameters.Place(parsing: &cursor) {
            self.end = value.lowerBound + cursor.offset
            let place = (value.lowerBound + parameter.name.lowerBound)..<self.end
            if parameter.isNamed("received", cursor) { self.received = self.received ?? place }
            if parameter.isNamed("rport", cursor) { self.rport = self.rport ?? place }
        }
    }

    private static let sentByEnd = ByteSet(";,".utf8)
}
