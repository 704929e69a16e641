import Crypto
import CryptoExtras
import Dispatch
import FoundationEssentials
import MessagingCore
import Store
import Synchronization

/// Passwords through scrypt (RFC 7914), the parameters kept with the hash: `scrypt$15$8$1$SALT$HASH` in hexadecimal.
struct PasswordHasher: Sendable {
    /// log2 of N.
    let cost: Int

    private static let blockSize = 8
    private static let parallelism = 1
    private static let saltBytes = 16
    private static let hashBytes = 32
    static let passwordBytes = 8...1024

    func hash(_ password: String) throws -> Credential {
        let salt = randomBytes(Self.saltBytes)
        let key = try Self.derive(password, salt: salt, cost: cost)
        return Credential(
            encoded: "scrypt$\(cost)$\(Self.blockSize)$\(Self.parallelism)$\(hexadecimal(salt))$\(hexadecimal(key))"
        )
    }

    /// Takes as long for no credential as for a wrong password.
    func verify(_ password: String, _ credential: Credential?) throws -> Bool {
        let fields = credential?.encoded.split(separator: "$").map(String.init) ?? []
        guard fields.count == 6, fields[0] == "scrypt", let cost = Int(fields[1]),
            let salt = Array(hexadecimal: fields[4]), let expected = Array(hexadecimal: fields[5])
        else {
            _ = try Self.derive(password, salt: Array(repeating: 0, count: Self.saltBytes), cost: cost)
            return false
        }
        return constantTimeEqual(try Self.derive(password, salt: salt, cost: cost), expected)
    }

    static func check(_ password: String) throws(Refusal) {
        guard passwordBytes.contains(password.utf8.count) else {
            throw Refusal(
                .invalidRequest,
                "a password has \(passwordBytes.lowerBound) to \(passwordBytes.upperBound) bytes"
            )
        }
    }

    private static func derive(_ password: String, salt: [UInt8], cost: Int) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: Data(password.utf8),
            salt: salt,
            outputByteCount: hashBytes,
            rounds: 1 << cost,
            blockSize: blockSize,
            parallelism: parallelism,
            maxMemory: 1 << 30
        )
        return key.withUnsafeBytes { Array($0) }
    }
}

/// Whether two byte strings are the same, in time that does not depend on where they differ.
func constantTimeEqual(_ lhs: [UInt8], _ rhs: [UInt8]) -> Bool {
    guard lhs.count == rhs.count else { return false }
    var difference: UInt8 = 0
    for (left, right) in zip(lhs, rhs) { difference |= left ^ right }
    return difference == 0
}

extension [UInt8] {
    /// The bytes of a hexadecimal text; nil if it is none.
    init?(hexadecimal text: String) {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self = bytes
    }
}

/// A device's token: 32 random bytes, known to the device alone; the server keeps the hash.
struct DeviceToken {
    static let bytes = 32
    static let prefix = "ct_"

    let text: String

    init() { text = Self.prefix + hexadecimal(randomBytes(Self.bytes)) }

    static func hash(_ token: String) -> TokenHash { TokenHash(bytes: Array(SHA256.hash(data: Array(token.utf8)))) }
}

/// Tokens that were looked up lately; a revoked device's go at once.
final class TokenCache: Sendable {
    private static let capacity = 100_000
    private struct State {
        var known: [TokenHash: DeviceIdentity] = [:]
        /// Rises with every revocation.
        var revocations = 0
    }

    private let state = Mutex(State())

    subscript(hash: TokenHash) -> DeviceIdentity? { state.withLock { $0.known[hash] } }

    /// To be read before the store is, and given to ``remember(_:_:asOf:)``.
    var revocations: Int { state.withLock { $0.revocations } }

    /// Keeps what the store said, unless something was revoked since: the store may have spoken before that.
    func remember(_ hash: TokenHash, _ identity: DeviceIdentity, asOf revocations: Int) {
        state.withLock { state in
            guard state.revocations == revocations else { return }
            if state.known.count >= Self.capacity { state.known.removeAll() }
            state.known[hash] = identity
        }
    }

    func forget(_ account: AccountID, _ device: DeviceID?) {
        state.withLock { state in
            state.revocations += 1
            state.known = state.known.filter {
                $0.value.account != account || (device != nil && $0.value.device != device)
            }
        }
    }
}

/// A few threads for work that blocks: hashing, files. Each lane is serial, so its width bounds the work under way; what
/// waits for its turn is bounded too.
final class BlockingLanes: Sendable {
    private let lanes: [DispatchQueue]
    private let limit: Int
    private let waiting = Mutex(0)

    init(label: String, width: Int, limit: Int) {
        lanes = (0..<width).map { DispatchQueue(label: "continuo.\(label).\($0)") }
        self.limit = limit
    }

    /// - Throws: what the work throws; ``Refusal`` `unavailable` when too much waits already: nothing was begun.
    func run<T: Sendable>(_ key: some Hashable, _ body: @escaping @Sendable () throws -> T) async throws -> T {
        let isFull = waiting.withLock { waiting in
            guard waiting < limit else { return true }
            waiting += 1
            return false
        }
        guard !isFull else { throw Refusal(.unavailable, "the server is busy: try again soon") }
        defer { waiting.withLock { $0 -= 1 } }
        let lane = lanes[Int(UInt(bitPattern: key.hashValue) % UInt(lanes.count))]
        return try await withCheckedThrowingContinuation { continuation in
            lane.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
