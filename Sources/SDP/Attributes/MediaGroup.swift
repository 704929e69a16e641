/// Media that belong together, `a=group` (RFC 5888), such as those of a bundle (RFC 8843).
public struct MediaGroup: Sendable, Hashable {
    /// What the grouping means: `BUNDLE`, `LS`, `FID` and so on.
    public var semantics: String
    /// The `a=mid` of each medium in it.
    public var mediaIDs: [String]

    /// Makes a group.
    public init(semantics: String, mediaIDs: [String]) {
        self.semantics = semantics
        self.mediaIDs = mediaIDs
    }

    /// Reads the value of the attribute; nil when it is empty.
    public init?(_ text: String) {
        let parts = text.words
        guard let semantics = parts.first else { return nil }
        self.init(semantics: semantics, mediaIDs: Array(parts.dropFirst()))
    }

    /// The value of the attribute.
    public var text: String { ([self.semantics] + self.mediaIDs).joined(separator: " ") }
}

extension SessionDescription {
    /// The groups of the session.
    public var groups: [MediaGroup] { self.attributes(named: "group").compactMap(MediaGroup.init) }

    /// Takes the media that are not named out of every group; a group of none is removed.
    public mutating func filterGroups(keeping mediaIDs: Set<String>) {
        self.lines = self.lines.compactMap { line in
            guard line.isAttribute(named: "group"), let value = Attribute(line).value, var group = MediaGroup(value)
            else { return line }
            let kept = group.mediaIDs.filter(mediaIDs.contains)
            guard kept != group.mediaIDs else { return line }
            group.mediaIDs = kept
            return kept.isEmpty ? nil : Attribute("group", group.text).line
        }
    }

    /// The attributes that a session states for all its media and that a medium may state for itself.
    private static let inherited = [
        "ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "tls-id", "connection",
    ]

    /// The description with what the session states for its media (address, direction, ICE and DTLS attributes)
    /// written into each of them, so that each medium stands for itself and can go its own way.
    public var withSelfContainedMedia: SessionDescription {
        var result = self
        for index in result.media.indices {
            if result.media[index].connection == nil { result.media[index].connection = self.connection }
            if result.media[index].statedDirection == nil, let direction = self.statedDirection {
                result.media[index].setDirection(direction)
            }
            for name in Self.inherited where !result.media[index].hasAttribute(name) {
                let lines = self.lines.filter { $0.isAttribute(named: name) }
                result.media[index].lines.append(contentsOf: lines)
            }
        }
        if !result.media.isEmpty {
            result.connection = nil
            for name in Self.inherited { result.removeAttributes(named: name) }
            result.lines.removeAll { $0.kind == .attribute && MediaDirection(rawValue: $0.value) != nil }
        }
        return result
    }

    /// The part of a description that concerns some of its media, as one leg of a session spread over devices gets
    /// it: only those media, in order, each self-contained, and groups without the others.
    ///
    /// - Parameter indices: places in ``media``; places outside are ignored.
    public func selecting(_ indices: Set<Int>) -> SessionDescription {
        var result = self.withSelfContainedMedia
        result.media = result.media.indices.filter(indices.contains).map { result.media[$0] }
        result.filterGroups(keeping: Set(result.media.compactMap(\.mediaID)))
        return result
    }
}
