import CPIM
import Testing

@Suite("RFC 3339 date and time")
struct TimestampTests {
    @Test(
        "times come back and fall on the right second",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2000-12-13T13:40:00-08:00", 976_743_600),
            ("2008-04-04T12:16:49-05:00", 1_207_329_409),
            ("2024-02-29T12:00:00Z", 1_709_208_000), ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799), ("1969-12-31T23:59:59Z", -1),
            ("1900-03-01T00:00:00+05:30", -2_203_911_000),
            ("2024-01-02T03:04:05.123Z", 1_704_164_645), ("2024-01-02T03:04:05.123456Z", 1_704_164_645),
        ]
    )
    func seconds(_ text: String, _ seconds: Int64) throws {
        let time = try Timestamp(text)
        #expect(time.unixSeconds == seconds)
        #expect(time.text == text)
        let made = Timestamp(unixSeconds: seconds, nanosecond: time.nanosecond)
        #expect(made.unixSeconds == seconds)
        #expect(try Timestamp(made.text) == made)
    }

    @Test("every day of four hundred years comes back")
    func days() throws {
        for day in stride(from: Int64(-146_097), through: 146_097, by: 1) {
            let time = Timestamp(unixSeconds: day * 86_400 + 3661)
            #expect(time.unixSeconds == day * 86_400 + 3661)
            #expect((time.hour, time.minute, time.second) == (1, 1, 1))
        }
    }

    @Test("lenient forms: small letters, a space, a leap second, many digits")
    func lenient() throws {
        #expect(try Timestamp("2024-01-02t03:04:05z").text == "2024-01-02T03:04:05Z")
        #expect(try Timestamp("2024-01-02 03:04:05+00:00").text == "2024-01-02T03:04:05Z")
        #expect(try Timestamp("2016-12-31T23:59:60Z").unixSeconds == 1_483_228_800)
        #expect(try Timestamp("2024-01-02T03:04:05.1234567891234Z").nanosecond == 123_456_789)
    }

    @Test(
        "what is no time is refused",
        arguments: [
            "", "2024", "2024-01-02", "2024-01-02T03:04:05", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-32T00:00:00Z", "2024-01-00T00:00:00Z", "2024-01-02T24:00:00Z", "2024-01-02T03:60:05Z",
            "2024-01-02T03:04:61Z",
            "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05+24:00", "2024-01-02T03:04:05+1:00", "2024-01-02T03:04:05ZZ",
            "+024-01-02T03:04:05Z", "２０２４-01-02T03:04:05Z",
        ]
    )
    func refused(_ text: String) {
        #expect(throws: CPIMError(.invalidDateTime, "")) { try Timestamp(text) }
    }

    @Test("seconds beyond the years are held at the edge")
    func edges() {
        #expect(Timestamp(unixSeconds: .max).text == "9999-12-31T23:59:59Z")
        #expect(Timestamp(unixSeconds: .min).text == "0000-01-01T00:00:00Z")
    }
}
