#if canImport(Glibc)
import CAllocationCount
import NIOCore
import SIP
import Testing

@Suite("Allocations")
struct AllocationTests {
    /// A request of so many header fields, half of them with names that are not well known.
    static func request(headers count: Int) -> ByteBuffer {
        var request = SIPMessage(method: .message, uri: "sip:alice@home.example")
        request.append(.via, "SIP/2.0/UDP bob-pc.example:5060;branch=z9hG4bK7c1a9d8e77fb1;rport")
        request.append(.maxForwards, "70")
        request.append(.from, "\"Bob Example\" <sip:bob@home.example>;tag=5a1f77e9")
        request.append(.to, "<sip:alice@home.example>")
        request.append(.callID, "4b1c77f0aa9911e0@bob-pc.example")
        request.append(.cSeq, "1 MESSAGE")
        for number in 0..<(count - 7) {
            let name: HeaderName = number % 2 == 0 ? "X-Example-Header" : .userAgent
            request.append(name, "a value that is longer than any text that Swift keeps in place, \(number)")
        }
        request.append(.contentLength, "0")
        return request.serialized()
    }

    /// The allocations of some work, when it is done for the second time.
    static func allocations(of work: () throws -> Void) rethrows -> UInt64 {
        try work()
        let before = allocation_count()
        try work()
        return allocation_count() - before
    }

    /// Reads a message and finds what a proxy or a registrar routes by.
    static func findPlaces(_ bytes: ByteBuffer) throws {
        let message = try SIPMessage(parsing: bytes)
        let isRouted = message.contains(.route) || message.contains(.proxyRequire) || message.contains(.authorization)
        guard message.method == .message, !isRouted, message.contains(.via), message.contains(.to),
            message.contains(.contentLength), message.bodyLength == 0
        else { throw SIPError(.notAllowed, "the message was read wrong") }
    }

    @Test("Reading a message to the places that routing needs allocates nothing for a header field")
    func places() throws {
        let few = Self.request(headers: 10)
        let many = Self.request(headers: 60)
        let fewAllocations = try Self.allocations { try Self.findPlaces(few) }
        let manyAllocations = try Self.allocations { try Self.findPlaces(many) }
        #expect(fewAllocations > 0, "nothing is counted")
        #expect(fewAllocations <= 3)
        // The table of places has room for 24 fields at first and is doubled twice on the way to 60.
        #expect(manyAllocations <= fewAllocations + 2)
    }

    @Test("The values that routing needs cost the same in a long message")
    func values() throws {
        func read(_ bytes: ByteBuffer) throws {
            let message = try SIPMessage(parsing: bytes)
            _ = try message.topVia()
            _ = try message.maxForwards()
            _ = try message.callID()
            _ = try message.cSeq()
            _ = try ServerTransactionKey(message)
        }
        let few = Self.request(headers: 10)
        let many = Self.request(headers: 60)
        #expect(try Self.allocations { try read(many) } <= Self.allocations { try read(few) } + 2)
    }

    @Test("Text of every header field is paid for, so the count is a count")
    func texts() throws {
        let message = try SIPMessage(parsing: Self.request(headers: 60))
        #expect(Self.allocations { _ = message.headerFields.count } >= 50)
    }
}
#endif
