internal import ByteGrammar

/// One medium: an `m=` line and the lines that belong to it.
public struct MediaDescription: Sendable, Hashable, AttributeCarrier {
    /// The media type: `audio`, `video`, `message`, `application` and so on.
    public var type: String { didSet { self.rebuild() } }
    /// The port; 0 refuses or removes the medium.
    ///
    /// Examples of RFCs go beyond 65535, so it is not cut to 16 bits.
    public var port: Int { didSet { self.rebuild() } }
    /// How many ports in a row, when given after a slash.
    public var portCount: Int? { didSet { self.rebuild() } }
    /// The transport, such as `RTP/AVP` or `TCP/TLS/MSRP`.
    public var proto: String { didSet { self.rebuild() } }
    /// The formats: payload types for RTP, `*` for MSRP.
    public var formats: [String] { didSet { self.rebuild() } }
    /// The `m=` line itself.
    public private(set) var line: Line
    /// The lines after it, in order.
    public var lines: [Line]

    /// Makes a medium.
    public init(
        type: String,
        port: Int,
        portCount: Int? = nil,
        proto: String,
        formats: [String],
        connection: Connection? = nil,
        attributes: [Attribute] = []
    ) {
        self.type = type
        self.port = port
        self.portCount = portCount
        self.proto = proto
        self.formats = formats
        self.line = Line(.media, "")
        self.lines = attributes.map(\.line)
        if let connection { self.lines.insert(Line(.connection, connection.text), at: 0) }
        self.rebuild()
    }

    /// The largest port that is taken from a line: nine digits, so that no arithmetic on it can overflow.
    static let maximumPort = 999_999_999

    init?(line: Line) {
        let fields = ByteText.fields(line.slice)
        guard fields.count >= 4, line.slice.first != 0x20 else { return nil }
        let ports = fields[1].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard ports.count <= 2, let port = ports.first.flatMap({ ByteText.decimal($0) }), port <= Self.maximumPort
        else { return nil }
        if ports.count == 2 {
            guard let count = ByteText.decimal(ports[1]), count > 0, count <= Self.maximumPort else { return nil }
            self.portCount = Int(count)
        } else {
            self.portCount = nil
        }
        self.type = ByteText.string(fields[0])
        self.port = Int(port)
        self.proto = ByteText.string(fields[2])
        self.formats = fields[3...].map { ByteText.string($0) }
        self.line = line
        self.lines = []
    }

    private mutating func rebuild() {
        let count = self.portCount.map { "/\($0)" } ?? ""
        let formats = self.formats.joined(separator: " ")
        self.line = Line(.media, "\(self.type) \(self.port)\(count) \(self.proto) \(formats)")
    }

    /// The `m=` line and the lines after it.
    public var allLines: [Line] { [self.line] + self.lines }

    /// The address of this medium alone; nil when that of the session holds.
    public var connection: Connection? {
        get { self.lines.first(of: .connection).flatMap { Connection($0.value) } }
        set { self.lines.replace(.connection, with: newValue?.text, after: [.information]) }
    }

    /// The bandwidth lines.
    public var bandwidths: [Bandwidth] {
        self.lines.filter { $0.kind == .bandwidth }.compactMap { Bandwidth($0.value) }
    }

    /// Whether the medium is refused or removed: port 0, unless it is only to be used bundled (RFC 8843 section 6).
    public var isRejected: Bool { self.port == 0 && !self.hasAttribute("bundle-only") }
}
