import Testing

@testable import Interconnect

@Suite("What one peer may take of what all share")
struct SharesTests {
    @Test("half for one, all for several, and what is given back is there again")
    func shares() {
        var shares = Shares(total: 4)
        let taken = ["a", "a", "a", "b", "b", "c"].map { shares.take($0) }
        #expect(taken == [true, true, false, true, true, false])
        shares.giveBack("a")
        shares.giveBack("nobody")
        let again = ["c", "a"].map { shares.take($0) }
        #expect(again == [true, false])
    }
}
