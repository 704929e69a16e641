import MessagingService
import NIOCore
import Testing

@testable import AppGateway

@Suite("Rates")
struct RateTests {
    @Test("a bucket gives its burst, then its rate")
    func bucket() {
        let rate = Rate(burst: 2, perSecond: 4)
        var bucket = TokenBucket(rate, now: 0)
        #expect(bucket.take(rate, now: 0) == nil)
        #expect(bucket.take(rate, now: 0) == nil)
        #expect(bucket.take(rate, now: 0) == 250)
        #expect(bucket.take(rate, now: 249) != nil)
        #expect(bucket.take(rate, now: 250) == nil)
        // A clock that is read late changes nothing.
        #expect(bucket.take(rate, now: 100) == 250)
        bucket.giveBack(rate)
        #expect(bucket.take(rate, now: 250) == nil)
        for _ in 0..<10 { bucket.giveBack(rate) }
        #expect(bucket.take(rate, now: 250) == nil)
        #expect(bucket.take(rate, now: 250) == nil)
        #expect(bucket.take(rate, now: 250) != nil)
    }

    @Test("a flood of keys stays within bounds and does not free a busy one")
    func bounded() {
        let limiter = RateLimiter<Int>(Rate(burst: 1, perSecond: 0.001), capacity: 100)
        #expect(limiter.take(-1, now: 0) == nil)
        for key in 0..<10000 {
            #expect(limiter.take(key, now: 0) == nil)
            if key % 50 == 0 { #expect(limiter.take(-1, now: 0) != nil) }
        }
        #expect(limiter.count <= 200)
        limiter.giveBack(-1)
        #expect(limiter.take(-1, now: 0) == nil)
    }

    @Test("peers are counted by address, or by the network of an IPv6 one")
    func peers() throws {
        func key(_ text: String, port: Int = 1) throws -> PeerKey {
            PeerKey(try SocketAddress(ipAddress: text, port: port))
        }
        #expect(try key("192.0.2.1") == key("192.0.2.1", port: 9))
        #expect(try key("192.0.2.1") != key("192.0.2.2"))
        #expect(try key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff::9", port: 3))
        #expect(try key("2001:db8:1:2::1") != key("2001:db8:1:3::1"))
        #expect(try key("::ffff:192.0.2.1") == key("192.0.2.1"))
        #expect(PeerKey(nil) == PeerKey(try SocketAddress(unixDomainSocketPath: "x")))
    }

    @Test("the limits fit each other")
    func limits() {
        let limits = GatewayLimits()
        #expect(Int64(limits.uploadChunkBytes) <= limits.uploadPieceBytes)
        #expect(limits.headerFieldBytes <= limits.headerListBytes && limits.targetBytes <= limits.headerListBytes)
        // What fits a request fits a frame, and the other way round.
        #expect(limits.frameBytes == limits.jsonBodyBytes)
        #expect(limits.frameBytes < limits.pendingWriteBytes)
        // A device is pinged, and given up, well before its stall would be.
        #expect(limits.helloMilliseconds <= limits.pingMilliseconds)
        #expect(limits.closeMilliseconds < limits.pingMilliseconds)
        #expect(limits.tickMilliseconds * 2 <= limits.lingerMilliseconds)
        // A piece at the slowest permitted rate still comes through.
        #expect(limits.uploadPieceBytes / limits.bodyBytesPerSecond > 0)
    }
}
