public import NIOCore

extension SIPMessage {
    /// Writes the message as it goes on the wire.
    ///
    /// Header fields that were not touched since the message was read come out byte for byte.
    public func write(into buffer: inout ByteBuffer) {
        let bytes = self.storage.readableBytesSpan
        switch self.start {
        case .request(let method, let uri):
            buffer.writeString(method.rawValue)
            buffer.writeInteger(UInt8(0x20))
            buffer.writeBytes(bytes.extracting(Int(uri.lowerBound)..<Int(uri.upperBound)))
            buffer.writeStaticString(" SIP/2.0\r\n")
        case .response(let status, let reason):
            buffer.writeStaticString("SIP/2.0 ")
            Self.writeStatus(status, into: &buffer)
            buffer.writeInteger(UInt8(0x20))
            buffer.writeBytes(bytes.extracting(Int(reason.lowerBound)..<Int(reason.upperBound)))
            buffer.writeStaticString("\r\n")
        }
        // Lines that follow each other in the storage are copied as one.
        var index = 0
        while index < self.fields.count {
            let start = Int(self.fields[index].start)
            var end = Int(self.fields[index].end)
            index += 1
            while index < self.fields.count, Int(self.fields[index].start) == end {
                end = Int(self.fields[index].end)
                index += 1
            }
            buffer.writeBytes(bytes.extracting(start..<end))
        }
        buffer.writeStaticString("\r\n")
        buffer.writeBytes(bytes.extracting(Int(self.bodyRange.lowerBound)..<Int(self.bodyRange.upperBound)))
    }

    /// The message as it goes on the wire.
    public func serialized() -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: self.serializedLength)
        self.write(into: &buffer)
        return buffer
    }

    /// The number of bytes that ``write(into:)`` writes.
    public var serializedLength: Int {
        let line =
            switch self.start {
            case .request(let method, let uri): method.rawValue.utf8.count + uri.count + 11
            case .response(_, let reason): 14 + reason.count
            }
        return self.fields.reduce(line + 2 + self.bodyRange.count) { $0 + $1.line.count }
    }

    static func writeStatus(_ status: SIPStatus, into buffer: inout ByteBuffer) {
        let number = status.rawValue
        buffer.writeInteger(UInt8(0x30 + number / 100))
        buffer.writeInteger(UInt8(0x30 + number / 10 % 10))
        buffer.writeInteger(UInt8(0x30 + number % 10))
    }
}
