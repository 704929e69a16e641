/// What all peers have together of something that there is so much of. One of them has half of it at most: whoever takes all
/// that it can get keeps the others from nothing. Peers are told apart by domain: a certificate for two of them is two peers.
struct Shares {
    private let total: Int
    private var taken: [String: Int] = [:]
    private var sum = 0

    init(total: Int) { self.total = total }

    /// What one peer has at most.
    static func ofOne(_ total: Int) -> Int { max(1, total / 2) }

    /// - Returns: false when there is no more, all in all or for that peer.
    mutating func take(_ peer: String) -> Bool {
        let own = taken[peer] ?? 0
        guard sum < total, own < Self.ofOne(total) else { return false }
        taken[peer] = own + 1
        sum += 1
        return true
    }

    mutating func giveBack(_ peer: String) {
        guard let own = taken[peer] else { return }
        taken[peer] = own > 1 ? own - 1 : nil
        sum -= 1
    }
}
