internal import ByteGrammar

/// A session description (RFC 8866): session lines, then media.
///
/// Every line is kept as it came, in order, also those that nobody here understands, so that what is printed is what
/// was read (only bare LF line ends become CRLF). Typed views are decoded when they are asked for.
public struct SessionDescription: Sendable, Hashable, AttributeCarrier {
    /// The lines before the first `m=`, `v=0` first.
    public var lines: [Line]
    /// The media, each beginning with its `m=` line.
    public var media: [MediaDescription]

    /// Makes a description of version 0, named `-`, bounded by no time.
    public init(origin: Origin, connection: Connection? = nil, media: [MediaDescription] = []) {
        self.lines = [Line(.version, "0"), Line(.origin, origin.text), Line(.sessionName, "-")]
        if let connection { self.lines.append(Line(.connection, connection.text)) }
        self.lines.append(Line(.time, "0 0"))
        self.media = media
    }

    /// Reads a description.
    ///
    /// Lenient where senders are known to be: bare LF, a missing last line end, session lines out of order, missing
    /// `s=` or `t=`. Lines of unknown letters and unknown attributes are kept.
    ///
    /// - Throws: ``SDPError`` when the grammar is broken or a limit passed.
    public init(parsing bytes: [UInt8], limits: SDPLimits = .standard) throws(SDPError) {
        var parser = try SessionParser(bytes, limits: limits)
        self = try parser.parse()
    }

    init(lines: [Line], media: [MediaDescription]) {
        self.lines = lines
        self.media = media
    }

    /// The description in octets, every line ended by CRLF.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        for line in self.lines { line.write(to: &output) }
        for medium in self.media { for line in medium.allLines { line.write(to: &output) } }
        return output
    }

    /// The description as text.
    public var text: String { ByteText.string(self.bytes) }

    /// Who made the description and which version it is.
    public var origin: Origin? {
        get { self.lines.first(of: .origin).flatMap { Origin($0.value) } }
        set { self.lines.replace(.origin, with: newValue?.text, after: [.version]) }
    }

    /// The name of the session, as it came; `-` or empty for none.
    public var sessionName: String? { self.lines.first(of: .sessionName)?.value }

    /// The address for media that have none of their own.
    public var connection: Connection? {
        get { self.lines.first(of: .connection).flatMap { Connection($0.value) } }
        set {
            let before: [Line.Kind] = [.version, .origin, .sessionName, .information, .uri, .email, .phone]
            self.lines.replace(.connection, with: newValue?.text, after: before)
        }
    }

    /// The address that a medium uses: its own or else that of the session.
    public func connection(of medium: MediaDescription) -> Connection? { medium.connection ?? self.connection }

    /// The direction of a medium: its own, else that of the session, else both ways (RFC 8866 section 6.7).
    public func direction(of medium: MediaDescription) -> MediaDirection {
        medium.statedDirection ?? self.statedDirection ?? .sendReceive
    }
}

extension Line {
    func write(to output: inout [UInt8]) {
        output.append(self.kind.letter)
        output.append(UInt8(ascii: "="))
        output.append(contentsOf: self.slice)
        output.append(0x0D)
        output.append(0x0A)
    }
}

extension [Line] {
    func first(of kind: Line.Kind) -> Line? { self.first { $0.kind == kind } }

    /// Puts one line of a kind in place of the first there is, or after the kinds that come before it by the grammar;
    /// removes it when there is no value.
    mutating func replace(_ kind: Line.Kind, with value: String?, after before: [Line.Kind]) {
        let index = self.firstIndex { $0.kind == kind }
        guard let value else {
            if let index { self.remove(at: index) }
            return
        }
        if let index {
            self[index] = Line(kind, value)
        } else {
            let place = self.lastIndex { before.contains($0.kind) }.map { $0 + 1 } ?? 0
            self.insert(Line(kind, value), at: place)
        }
    }
}
