import NIOCore
import NIOPosix
import SIP

/// Pairs of users of SIP phones: one has a phone and writes, the other has several, and each gets every message.
final class Fork: Sendable {
    /// The phones of one pair.
    struct Accounts: Sendable {
        var sender: LoadPhone.Account
        var receivers: [LoadPhone.Account]
    }

    /// What a stretch of load came to.
    struct Measured {
        var cpuMilliseconds: Double
        var perSecond: Double
    }

    private let loop: any EventLoop
    private let pairs: [Pair]

    private init(_ loop: any EventLoop, _ pairs: [Pair]) {
        self.loop = loop
        self.pairs = pairs
    }

    /// Makes the phones and registers them.
    static func make(
        _ accounts: [Accounts],
        _ transport: SIPTransportKind,
        port: Int,
        domain: String
    ) async throws -> Fork {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var pairs: [Pair] = []
        for pair in accounts {
            var phones: [LoadPhone] = []
            for account in [pair.sender] + pair.receivers {
                let phone = try await LoadPhone.make(account, transport, port: port, domain: domain, loop: loop)
                guard try await phone.registered() == 200 else {
                    throw ServerUnderTest.Failure(description: "\(account.user) is not let in")
                }
                phones.append(phone)
            }
            let made = phones
            pairs.append(try await loop.submit { Pair(made[0], Array(made[1...])) }.get())
        }
        return Fork(loop, pairs)
    }

    func close() async throws {
        for pair in pairs { for phone in pair.phones { try await phone.close() } }
    }

    /// All pairs write for so long; the CPU is divided by the messages that came to all phones.
    ///
    /// - Parameter receiver: who is written to instead of the pairs' receivers: somebody without a phone.
    func run(
        seconds: Double,
        to receiver: (@Sendable (Int) -> String)? = nil,
        cpu: () -> Double
    ) async throws -> Measured {
        // A first second for caches and files to come to their sizes.
        _ = try await write(seconds: 1, receiver)
        let before = cpu()
        let start = ContinuousClock.now
        let count = try await write(seconds: seconds, receiver)
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        return Measured(cpuMilliseconds: (cpu() - before) * 1000 / count, perSecond: count / elapsed)
    }

    private func write(seconds: Double, _ receiver: (@Sendable (Int) -> String)?) async throws -> Double {
        let pairs = pairs
        try await loop.submit {
            for (index, pair) in pairs.enumerated() { pair.start(receiver?(index)) }
        }.get()
        try await Task.sleep(for: .seconds(seconds))
        try await loop.submit { for pair in pairs { pair.isOver = true } }.get()
        let patience = ContinuousClock.now + .seconds(60)
        while true {
            let (done, sent, refused) = try await loop.submit {
                (
                    pairs.allSatisfy(\.isSettled), pairs.map(\.sent).reduce(0, +),
                    pairs.compactMap(\.refusal).first
                )
            }.get()
            if let refused { throw ServerUnderTest.Failure(description: "a message was answered \(refused)") }
            if done { return Double(max(1, sent)) }
            guard ContinuousClock.now < patience else {
                throw ServerUnderTest.Failure(description: "not all messages came to all phones")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// All phones register again and again, several at a time.
    func registers(_ count: Int, isFresh: Bool, cpu: () -> Double) async throws -> Measured {
        try await register(count / 8, isFresh)
        let before = cpu()
        let start = ContinuousClock.now
        try await register(count, isFresh)
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        return Measured(cpuMilliseconds: (cpu() - before) * 1000 / Double(count), perSecond: Double(count) / elapsed)
    }

    private func register(_ count: Int, _ isFresh: Bool) async throws {
        let promise = loop.makePromise(of: Void.self)
        let phones = pairs.flatMap(\.phones)
        loop.execute { Registering(count, isFresh, promise).start(phones) }
        try await promise.futureResult.get()
    }
}

/// Belongs to the loop of its phones.
private final class Registering: @unchecked Sendable {
    private var left: Int
    private var open: Int
    private let isFresh: Bool
    private let promise: EventLoopPromise<Void>

    init(_ count: Int, _ isFresh: Bool, _ promise: EventLoopPromise<Void>) {
        left = count
        open = count
        self.isFresh = isFresh
        self.promise = promise
    }

    func start(_ phones: [LoadPhone]) { for phone in phones { next(phone) } }

    private func next(_ phone: LoadPhone) {
        guard left > 0 else { return }
        left -= 1
        phone.register(isFresh: isFresh) { [self] status in
            guard status == 200 else {
                return promise.fail(
                    ServerUnderTest.Failure(description: "a REGISTER was answered \(status?.rawValue ?? 0)")
                )
            }
            open -= 1
            if open == 0 { return promise.succeed() }
            next(phone)
        }
    }
}

/// Belongs to the loop of its phones.
private final class Pair: @unchecked Sendable {
    let phones: [LoadPhone]
    private(set) var sent = 0
    private(set) var refusal: Int?
    var isOver = false
    private var answered = 0
    private var before: [Int] = []
    private var receiver = ""
    private var isRelayed = true

    init(_ sender: LoadPhone, _ receivers: [LoadPhone]) {
        phones = [sender] + receivers
        for phone in receivers { phone.onTaken = { [weak self] in self?.next() } }
    }

    /// Messages that are answered and on all phones.
    private var finished: Int {
        guard isRelayed else { return answered }
        let taken = zip(phones.dropFirst(), before).map { $0.taken - $1 }
        return min(answered, taken.min() ?? 0)
    }

    var isSettled: Bool { finished >= sent }

    func start(_ absent: String?) {
        isRelayed = absent == nil
        receiver = absent ?? phones[1].account.address
        sent = 0
        answered = 0
        isOver = false
        before = phones.dropFirst().map(\.taken)
        next()
    }

    private func next() {
        while !isOver, refusal == nil, sent - finished < InterconnectBench.inFlight {
            sent += 1
            let text = MessageMaker.text(InterconnectBench.textBytes)
            phones[0].write(ByteBuffer(string: text), to: receiver) { [weak self] status in
                guard let self else { return }
                if !(status?.isSuccess ?? false) { refusal = Int(status?.rawValue ?? 0) }
                answered += 1
                next()
            }
        }
    }
}
