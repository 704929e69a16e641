import SIP
import Testing

@Suite("Date")
struct SIPDateTests {
    @Test(
        "section 20.17: written, and read back",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (1_289_690_940, "Sat, 13 Nov 2010 23:29:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (1_795_478_400, "Tue, 24 Nov 2026 00:00:00 GMT"),
        ] as [(Int64, String)]
    )
    func both(seconds: Int64, text: String) {
        #expect(SIPDate.text(unixSeconds: seconds) == text)
        #expect(SIPDate.unixSeconds(text) == seconds)
    }

    @Test("every day of four hundred years comes back as it went")
    func days() {
        for day in 0..<Int64(146_097) {
            let seconds = (day - 60_000) * 86_400 + day % 86_400
            #expect(SIPDate.unixSeconds(SIPDate.text(unixSeconds: seconds)) == seconds)
        }
    }

    @Test(
        "what is no date",
        arguments: [
            "", "Sat, 13 Nov 2010 23:29:00", "Sat, 13 Nov 2010 23:29:00 CET", "Sat, 13 Now 2010 23:29:00 GMT",
            "Sat, 0 Nov 2010 23:29:00 GMT", "Sat, 13 Nov 2010 24:29:00 GMT", "Sat, 13 Nov 99999 23:29:00 GMT",
            "Sat, 13 Nov 2010 23::00 GMT", "Sat, 99999999999999999999 Nov 2010 23:29:00 GMT",
        ]
    )
    func none(text: String) { #expect(SIPDate.unixSeconds(text) == nil) }
}
