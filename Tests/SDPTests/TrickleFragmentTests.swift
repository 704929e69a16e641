import SDP
import Testing

@Suite("Candidates on their way")
struct TrickleFragmentTests {
    /// In the form of RFC 8840 section 9.2, with addresses for documentation.
    static let text = """
        a=ice-pwd:asd88fgpdd777uzjYhagZg\r
        a=ice-ufrag:8hhY\r
        m=audio 9 RTP/AVP 0\r
        a=mid:1\r
        a=candidate:1 1 UDP 2130706432 2001:db8::1 5000 typ host\r
        a=end-of-candidates\r
        m=audio 9 RTP/AVP 0\r
        a=mid:2\r
        a=candidate:2 1 UDP 1694498815 192.0.2.3 5002 typ srflx raddr 192.0.2.1 rport 5000\r\n
        """

    @Test("A fragment is read by its mids and printed as it came")
    func read() throws {
        let fragment = try TrickleFragment(parsing: Array(Self.text.utf8))
        #expect(fragment.userFragment == "8hhY")
        #expect(fragment.candidates(mediaID: "1") == ["1 1 UDP 2130706432 2001:db8::1 5000 typ host"])
        #expect(fragment.candidates(mediaID: "2").count == 1)
        #expect(fragment.candidates(mediaID: "3").isEmpty)
        #expect(fragment.isComplete(mediaID: "1"))
        #expect(!fragment.isComplete(mediaID: "2"))
        #expect(!fragment.isComplete())
        #expect(fragment.bytes == Array(Self.text.utf8))
    }

    @Test("The end of all candidates may stand for the session")
    func end() throws {
        let fragment = try TrickleFragment(parsing: Array("a=ice-ufrag:x\r\na=end-of-candidates\r\n".utf8))
        #expect(fragment.isComplete() && fragment.isComplete(mediaID: "7"))
        #expect(try TrickleFragment(parsing: []) == TrickleFragment())
    }

    @Test(
        "What is no fragment is refused",
        arguments: [
            "v=0\r\n", "s=-\r\na=x\r\n", "m=audio 9 RTP/AVP 0\r\na=candidate:1\r\n", "x",
            "m=audio\r\na=mid:1\r\n",
        ]
    )
    func refused(text: String) {
        #expect(throws: SDPError.self) { try TrickleFragment(parsing: Array(text.utf8)) }
    }
}
