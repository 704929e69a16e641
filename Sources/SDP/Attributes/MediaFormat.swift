/// What a payload type stands for, `a=rtpmap` (RFC 8866 section 6.6).
public struct RTPMap: Sendable, Hashable {
    /// The payload type as it stands in the `m=` line.
    public var format: String
    /// The name of the encoding.
    public var encoding: String
    /// The clock rate in hertz.
    public var clockRate: Int
    /// What follows the clock rate, for audio the number of channels.
    public var parameters: String?

    /// Reads the value of the attribute; nil when the clock rate is absent or no number.
    public init?(_ text: String) {
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        let names = parts[1].split(separator: "/", maxSplits: 2).map(String.init)
        guard names.count >= 2, names[1].isAllDigits, let rate = Int(names[1]) else { return nil }
        self.format = parts[0]
        self.encoding = names[0]
        self.clockRate = rate
        self.parameters = names.count == 3 ? names[2] : nil
    }

    /// Whether two maps name the same encoding; names are compared without case, one channel is the default.
    public func isSameEncoding(as other: RTPMap) -> Bool {
        self.encoding.lowercased() == other.encoding.lowercased() && self.clockRate == other.clockRate
            && self.parameters ?? "1" == other.parameters ?? "1"
    }
}

extension MediaDescription {
    /// The well-formed `a=rtpmap` attributes.
    public var rtpMaps: [RTPMap] { self.attributes(named: "rtpmap").compactMap(RTPMap.init) }

    /// The parameters of a format, `a=fmtp`; nil when there are none.
    public func formatParameters(of format: String) -> String? {
        self.attributes(named: "fmtp").lazy.compactMap { value in
            let parts = value.split(separator: " ", maxSplits: 1)
            return parts.count == 2 && parts[0] == format ? String(parts[1]) : nil
        }.first
    }

    /// Removes formats, and the attributes that speak of them alone (`rtpmap`, `fmtp`, `rtcp-fb`).
    public mutating func keepFormats(_ kept: [String]) {
        let removed = Set(self.formats).subtracting(kept)
        self.formats.removeAll(where: removed.contains)
        self.lines.removeAll { line in
            guard line.kind == .attribute else { return false }
            let attribute = Attribute(line)
            guard ["rtpmap", "fmtp", "rtcp-fb"].contains(attribute.name) else { return false }
            let format = attribute.value?.words.first
            return format.map(removed.contains) ?? false
        }
    }

    /// The identification of this medium, `a=mid` (RFC 5888).
    public var mediaID: String? { self.attribute("mid") }
}
