internal import ByteGrammar

/// ICE candidates on their way one by one: the body `application/trickle-ice-sdpfrag` of an INFO (RFC 8840 section 9).
///
/// It has the `a=` lines of a session, then media as pseudo `m=` lines, each told by its `mid` and not by its place.
public struct TrickleFragment: Sendable, Hashable, AttributeCarrier {
    /// The media type of the body, without parameters.
    public static let mediaType = "application/trickle-ice-sdpfrag"

    /// The attributes of the session: user fragment, password, options.
    public var lines: [Line]
    /// The media that candidates are for.
    public var media: [MediaDescription]

    /// Makes a fragment.
    public init(attributes: [Attribute] = [], media: [MediaDescription] = []) {
        self.lines = attributes.map(\.line)
        self.media = media
    }

    /// Reads a fragment.
    ///
    /// - Throws: ``SDPError`` when the grammar is broken or a limit passed; ``SDPError/Code/malformedLine`` for a line
    ///   that no fragment has, such as `v=`, and for a medium without `mid`.
    public init(parsing bytes: [UInt8], limits: SDPLimits = .standard) throws(SDPError) {
        // A description's lines are the same; only the ones that make it a description are not there.
        let head = Array("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\n".utf8)
        do throws(SDPError) {
            let whole = try SessionDescription(parsing: head + bytes, limits: limits)
            self.lines = Array(whole.lines.dropFirst(2))
            self.media = whole.media
        } catch {
            throw SDPError(error.code, error.reason, offset: error.offset.map { max(0, $0 - head.count) })
        }
        guard self.lines.allSatisfy({ $0.kind == .attribute }) else {
            throw SDPError(.malformedLine, "a fragment has attributes and media only")
        }
        guard self.media.allSatisfy({ $0.hasAttribute("mid") }) else {
            throw SDPError(.malformedLine, "a medium of a fragment needs its mid")
        }
    }

    /// The fragment in octets, every line ended by CRLF.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        for line in self.lines { line.write(to: &output) }
        for medium in self.media { for line in medium.allLines { line.write(to: &output) } }
        return output
    }

    /// The user fragment that the candidates belong to; those of an earlier one are late and dropped.
    public var userFragment: String? {
        self.attribute("ice-ufrag") ?? self.media.lazy.compactMap { $0.attribute("ice-ufrag") }.first
    }

    /// Whether no more candidates come, for one medium or, without one, for all.
    public func isComplete(mediaID: String? = nil) -> Bool {
        if self.hasAttribute("end-of-candidates") { return true }
        guard let mediaID else { return !self.media.isEmpty && self.media.allSatisfy { $0.isLast } }
        return self.media.contains { $0.attribute("mid") == mediaID && $0.isLast }
    }

    /// The candidates for a medium, as they stand behind `candidate:`.
    public func candidates(mediaID: String) -> [String] {
        self.media.filter { $0.attribute("mid") == mediaID }.flatMap { $0.attributes(named: "candidate") }
    }
}

extension MediaDescription {
    fileprivate var isLast: Bool { self.hasAttribute("end-of-candidates") }
}
