import ClientWire
import FoundationEssentials
public import MessagingCore

/// Turns the contract's values into the bytes that the store keeps and back.
enum Documents {
    static func encode<T: Encodable>(_ value: T) throws -> [UInt8] { [UInt8](try StrictJSON.encode(value)) }

    static func decode<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) throws -> T {
        do {
            return try StrictJSON.decode(type, from: Data(bytes))
        } catch {
            throw Refusal(.internalError, "a stored document cannot be read")
        }
    }
}

extension Timestamp {
    /// The machine's wall clock.
    @Sendable public static func wallClock() -> Timestamp {
        Timestamp(rawValue: Int64((Date().timeIntervalSince1970 * 1000).rounded()))
    }
}

/// Bytes from the system's generator.
func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}

extension Epoch {
    /// An epoch that no mailbox has had.
    @Sendable public static func fresh() -> Epoch { Epoch(hexadecimal(randomBytes(8))) }
}

/// Lower-case hexadecimal digits.
public func hexadecimal<Bytes: Sequence<UInt8>>(_ bytes: Bytes) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
