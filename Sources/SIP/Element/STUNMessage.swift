public import NIOCore

/// A message of the binding method of STUN (RFC 5389 section 6), as far as it keeps flows of datagrams alive.
public enum STUNMessage: Sendable, Hashable {
    /// What ties an answer to its request.
    public struct Identifier: Sendable, Hashable {
        /// The 96 bits, in three words.
        public let words: [UInt32]

        /// Makes an identifier of random numbers.
        public init(random: (UInt32, UInt32, UInt32)) { self.words = [random.0, random.1, random.2] }

        fileprivate init?(_ buffer: inout ByteBuffer) {
            guard let (first, second, third) = buffer.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) else {
                return nil
            }
            self.words = [first, second, third]
        }
    }

    /// Where do you see me? The attributes that the sender wants understood, and that are not.
    case request(Identifier, unknown: [UInt16] = [])
    /// You are seen here; nil when the address is left out.
    case success(Identifier, mapped: SocketAddress?)
    /// An error.
    case failure(Identifier, code: Int, unknown: [UInt16] = [])

    private static let cookie: UInt32 = 0x2112_A442
    private static let headerBytes = 20
    /// How many attributes of a message are read.
    public static let maximumAttributes = 64

    private enum Kind: UInt16 {
        case request = 0x0001
        case success = 0x0101
        case failure = 0x0111
    }

    private enum Attribute: UInt16 {
        case mappedAddress = 0x0001
        case username = 0x0006
        case messageIntegrity = 0x0008
        case errorCode = 0x0009
        case unknownAttributes = 0x000A
        case realm = 0x0014
        case nonce = 0x0015
        case xorMappedAddress = 0x0020
    }

    /// Reads a datagram.
    ///
    /// - Returns: nil when it is no message of this method, or is malformed.
    public init?(parsing datagram: ByteBuffer) {
        var buffer = datagram
        guard let (type, length, cookie) = buffer.readMultipleIntegers(as: (UInt16, UInt16, UInt32).self),
            let kind = Kind(rawValue: type), cookie == Self.cookie, length % 4 == 0,
            let identifier = Identifier(&buffer), buffer.readableBytes == Int(length)
        else { return nil }
        var unknown: [UInt16] = []
        var mapped: SocketAddress?
        var code = 0
        var count = 0
        while buffer.readableBytes > 0 {
            count += 1
            guard count <= Self.maximumAttributes,
                let (type, length) = buffer.readMultipleIntegers(as: (UInt16, UInt16).self),
                var value = buffer.readSlice(length: Int(length)),
                buffer.readSlice(length: (4 - Int(length) % 4) % 4) != nil
            else { return nil }
            switch Attribute(rawValue: type) {
            case .xorMappedAddress: mapped = Self.readAddress(&value, identifier)
            case .errorCode:
                guard let (_, family, number) = value.readMultipleIntegers(as: (UInt16, UInt8, UInt8).self),
                    number < 100
                else { return nil }
                code = Int(family & 7) * 100 + Int(number)
            case .unknownAttributes:
                while kind == .failure, let type = value.readInteger(as: UInt16.self) { unknown.append(type) }
            case nil where type < 0x8000 && kind == .request: unknown.append(type)
            default: break
            }
        }
        self =
            switch kind {
            case .request: .request(identifier, unknown: unknown)
            case .success: .success(identifier, mapped: mapped)
            case .failure: .failure(identifier, code: code, unknown: unknown)
            }
    }

    /// The message as it goes on the wire.
    public var bytes: ByteBuffer {
        var attributes = ByteBuffer()
        let kind: Kind
        let identifier: Identifier
        switch self {
        case .request(let id, _):
            (kind, identifier) = (.request, id)
        case .success(let id, let mapped):
            (kind, identifier) = (.success, id)
            if let mapped { Self.writeAddress(mapped, id, into: &attributes) }
        case .failure(let id, let code, let unknown):
            (kind, identifier) = (.failure, id)
            Self.write(.errorCode, into: &attributes) {
                $0.writeMultipleIntegers(UInt16(0), UInt8(code / 100), UInt8(code % 100))
            }
            if !unknown.isEmpty {
                Self.write(.unknownAttributes, into: &attributes) { for type in unknown { $0.writeInteger(type) } }
            }
        }
        var buffer = ByteBuffer()
        buffer.writeMultipleIntegers(kind.rawValue, UInt16(attributes.readableBytes), Self.cookie)
        for word in identifier.words { buffer.writeInteger(word) }
        buffer.writeImmutableBuffer(attributes)
        return buffer
    }

    /// What a server answers to a request that came from an address; nil for any other message.
    public func answer(to source: SocketAddress) -> STUNMessage? {
        guard case .request(let identifier, let unknown) = self else { return nil }
        return unknown.isEmpty
            ? .success(identifier, mapped: source) : .failure(identifier, code: 420, unknown: unknown)
    }

    private static func write(_ type: Attribute, into buffer: inout ByteBuffer, _ value: (inout ByteBuffer) -> Void) {
        var content = ByteBuffer()
        value(&content)
        buffer.writeMultipleIntegers(type.rawValue, UInt16(content.readableBytes))
        buffer.writeImmutableBuffer(content)
        buffer.writeRepeatingByte(0, count: (4 - content.readableBytes % 4) % 4)
    }

    /// Addresses go by under a mask, so that no router on the way rewrites them (section 15.2).
    private static func mask(_ identifier: Identifier) -> [UInt8] {
        ([self.cookie] + identifier.words).flatMap { word in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
        }
    }

    private static func writeAddress(_ address: SocketAddress, _ id: Identifier, into buffer: inout ByteBuffer) {
        guard let bytes = Host.addressBytes(address.ipAddress ?? "") else { return }
        self.write(.xorMappedAddress, into: &buffer) {
            let port = UInt16(truncatingIfNeeded: address.port ?? 0) ^ UInt16(self.cookie >> 16)
            $0.writeMultipleIntegers(UInt8(0), UInt8(bytes.count == 4 ? 1 : 2), port)
            $0.writeBytes(zip(bytes, self.mask(id)).map { $0 ^ $1 })
        }
    }

    private static func readAddress(_ value: inout ByteBuffer, _ id: Identifier) -> SocketAddress? {
        guard let (_, family, port) = value.readMultipleIntegers(as: (UInt8, UInt8, UInt16).self),
            value.readableBytes == (family == 1 ? 4 : 16)
        else { return nil }
        let bytes = zip(value.readableBytesView, self.mask(id)).map { $0 ^ $1 }
        return try? SocketAddress(
            packedIPAddress: ByteBuffer(bytes: bytes),
            port: Int(port ^ UInt16(self.cookie >> 16))
        )
    }
}
