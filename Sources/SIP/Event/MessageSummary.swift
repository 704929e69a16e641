import ByteGrammar
public import NIOCore

/// The body `application/simple-message-summary` (RFC 3842).
public struct MessageSummary: Sendable, Hashable {
    /// The counts of one class of messages.
    public struct Count: Sendable, Hashable {
        /// Not seen yet.
        public var new: UInt32
        /// Seen.
        public var old: UInt32
        /// Of the new ones, urgent.
        public var newUrgent: UInt32
        /// Of the old ones, urgent.
        public var oldUrgent: UInt32

        /// Makes counts.
        public init(new: UInt32, old: UInt32, newUrgent: UInt32 = 0, oldUrgent: UInt32 = 0) {
            self.new = new
            self.old = old
            self.newUrgent = newUrgent
            self.oldUrgent = oldUrgent
        }
    }

    /// Whether anything waits.
    public var isWaiting: Bool
    /// The account that the counts are of.
    public var account: String?
    /// The counts by class, such as `voice-message`, names in lower case.
    public var counts: [String: Count]

    /// Makes a summary.
    public init(isWaiting: Bool, account: String? = nil, counts: [String: Count] = [:]) {
        self.isWaiting = isWaiting
        self.account = account
        self.counts = counts
    }

    /// Reads a body.
    ///
    /// Lines that are not understood are skipped.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue`` when `Messages-Waiting` is missing or neither yes nor no.
    public init(parsing body: ByteBuffer) throws(SIPError) {
        var waiting: Bool?
        self.account = nil
        self.counts = [:]
        var text = body.getString(at: body.readerIndex, length: body.readableBytes) ?? ""
        if !text.hasSuffix("\n") { text += "\r\n" }
        let bytes = Array(text.utf8)
        var cursor = ByteCursor(bytes.span)
        while let range = cursor.line(), self.counts.count < SIPLimits.listItems {
            var line = ByteCursor(bytes.span.extracting(range))
            guard let token = line.token(), line.separator(0x3A) else { continue }
            let name = ASCII.lowercased(line.text(token))
            switch name {
            case "messages-waiting":
                waiting = line.take("yes" as StaticString) ? true : line.take("no" as StaticString) ? false : nil
            case "message-account":
                self.account = line.text(line.offset..<range.count)
            default:
                if let count = Self.count(&line) { self.counts[name] = count }
            }
        }
        guard let waiting else { throw SIPError(.malformedHeaderValue, "no Messages-Waiting") }
        self.isWaiting = waiting
    }

    private static func count(_ line: inout ByteCursor) -> Count? {
        guard let (new, old) = Self.pair(&line) else { return nil }
        var count = Count(new: new, old: old)
        if line.separator(0x28), let (newUrgent, oldUrgent) = Self.pair(&line) {
            count.newUrgent = newUrgent
            count.oldUrgent = oldUrgent
        }
        return count
    }

    private static func pair(_ line: inout ByteCursor) -> (UInt32, UInt32)? {
        guard let new = line.unsigned(maximum: UInt64(UInt32.max)), line.separator(0x2F),
            let old = line.unsigned(maximum: UInt64(UInt32.max))
        else { return nil }
        return (UInt32(new), UInt32(old))
    }

    /// The body as it is sent; classes in alphabetical order.
    public var body: ByteBuffer {
        var text = "Messages-Waiting: \(self.isWaiting ? "yes" : "no")\r\n"
        if let account = self.account { text += "Message-Account: \(account)\r\n" }
        for (name, count) in self.counts.sorted(by: { $0.key < $1.key }) {
            text += "\(name): \(count.new)/\(count.old) (\(count.newUrgent)/\(count.oldUrgent))\r\n"
        }
        return ByteBuffer(string: text)
    }
}
