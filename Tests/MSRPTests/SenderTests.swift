import NIOCore
import Testing

@testable import MSRP

@Suite struct SenderTests {
    static let zero = NIODeadline.uptimeNanoseconds(0)

    func sender(_ change: (inout MSRPLimits) -> Void = { _ in }) -> MessageSender {
        var limits = MSRPLimits()
        change(&limits)
        return MessageSender(limits: limits, ids: .init(seed: 1))
    }

    func start(
        _ sender: inout MessageSender,
        _ size: Int,
        success: Bool = false,
        failure: FailureReport = .yes
    ) throws -> MessageID {
        let id = sender.makeMessageID()
        try sender.start(
            .init(id: id, contentType: "a/b", size: UInt64(size), wantsSuccessReport: success, failureReport: failure)
        )
        _ = try sender.supply(ByteBuffer(repeating: 0, count: size), to: id)
        return id
    }

    @Test func messagesTakeTurns() throws {
        var sender = self.sender()
        let large = try self.start(&sender, 100_000)
        let small = try self.start(&sender, 3000)
        let order = (0..<5).compactMap { _ in sender.next(now: Self.zero)?.chunk.messageID }
        #expect(order == [large, small, large, small, large])
    }

    @Test func chunksThatAreAloneMayBeLargerAndAreInterruptible() throws {
        var sender = self.sender { $0.bulkChunkBytes = 10_000 }
        _ = try self.start(&sender, 25_000)
        let aloneStep = sender.next(now: Self.zero)
        let alone = try #require(aloneStep?.chunk)
        #expect(alone.range.text == "1-*/25000")
        #expect(alone.continuation == .more)
        _ = try self.start(&sender, 5000)
        // The other one waits: nobody gets more than a small chunk.
        #expect(sender.nextRange() == "10001-12048/25000")
        #expect(sender.nextRange() == "1-2048/5000")
    }

    @Test func theWindowPausesAndAnswersReopenIt() throws {
        var sender = self.sender { $0.maxUnansweredChunks = 2 }
        let id = try self.start(&sender, 7000)
        let firstStep = sender.next(now: Self.zero)
        let first = try #require(firstStep?.chunk)
        #expect(sender.next(now: Self.zero) != nil)
        #expect(sender.next(now: Self.zero) == nil)
        #expect(sender.received(.ok, to: first.transactionID) == .progress(id))
        #expect(sender.received(.ok, to: first.transactionID) == .ignore)
        #expect(sender.next(now: Self.zero) != nil)
        sender.setPaused(true)
        #expect(!sender.wantsToSend)
    }

    @Test func producersAreAskedToWaitAndToGoOn() throws {
        var sender = self.sender { $0.maxBufferedBytes = 4096 }
        let id = sender.makeMessageID()
        try sender.start(.init(id: id, contentType: "a/b", size: nil))
        #expect(try sender.supply(ByteBuffer(repeating: 0, count: 2048), to: id) == .more)
        #expect(try sender.supply(ByteBuffer(repeating: 0, count: 4096), to: id) == .wait)
        #expect(sender.nextResumes() == false)
        #expect(sender.nextResumes() == true)
        #expect(sender.nextResumes() == false)
        #expect(sender.next(now: Self.zero) == nil)
        try sender.finish(id)
        let lastStep = sender.next(now: Self.zero)
        let last = try #require(lastStep?.chunk)
        #expect(last.range.text == "6145-6144/6144")
        #expect(last.continuation == .complete)
    }

    @Test func anAnswerThatDoesNotComeFailsTheMessage() throws {
        var sender = self.sender()
        let id = try self.start(&sender, 10)
        #expect(sender.next(now: Self.zero) != nil)
        #expect(sender.nextDeadline == Self.zero + .seconds(30))
        #expect(sender.expire(now: Self.zero + .seconds(29)) == [])
        #expect(sender.expire(now: Self.zero + .seconds(30)) == [.init(id: id, outcome: .failed(.timeout))])
        #expect(sender.messageCount == 0)
        #expect(sender.unansweredByteCount == 0)
    }

    @Test(arguments: FailureReport.allCases)
    func failureReportDecidesWhatIsWaitedFor(_ failure: FailureReport) throws {
        var sender = self.sender()
        let id = try self.start(&sender, 10, failure: failure)
        let next = sender.next(now: Self.zero)
        let step = try #require(next)
        let late = sender.received(.forbidden, to: step.chunk.transactionID)
        switch failure {
        case .yes:
            #expect(step.result == nil)
            #expect(late == .result(.init(id: id, outcome: .failed(.forbidden))))
        case .partial:
            #expect(step.result == .init(id: id, outcome: .sent))
            #expect(late == .result(.init(id: id, outcome: .failed(.forbidden))))
        case .no:
            #expect(step.result == .init(id: id, outcome: .sent))
            #expect(late == .ignore)
        }
    }

    @Test func aReportMayComeBeforeTheAnswer() throws {
        var sender = self.sender()
        let id = try self.start(&sender, 10, success: true)
        let chunkStep = sender.next(now: Self.zero)
        let chunk = try #require(chunkStep?.chunk)
        let range = try ByteRange(parsing: "1-10/10")
        #expect(
            sender.received(report: .init(.ok), range: range, of: id) == .result(.init(id: id, outcome: .delivered))
        )
        #expect(sender.received(.ok, to: chunk.transactionID) == .ignore)
    }

    @Test func reportsCountByOctetsAndOtherNamespacesDoNot() throws {
        var sender = self.sender()
        let id = try self.start(&sender, 3000, success: true)
        while let chunk = sender.next(now: Self.zero)?.chunk { _ = sender.received(.ok, to: chunk.transactionID) }
        func report(_ text: String, _ status: ReportStatus = .init(.ok)) throws -> MessageSender.OnAnswer {
            sender.received(report: status, range: try ByteRange(parsing: text), of: id)
        }
        #expect(try report("2049-3000/3000") == .progress(id))
        #expect(try report("2049-3000/3000") == .progress(id))
        #expect(try report("1-3000/3000", .init(.ok, namespace: 7)) == .ignore)
        #expect(try report("1-2000/3000") == .progress(id))
        #expect(try report("1-2048/3000") == .result(.init(id: id, outcome: .delivered)))
        #expect(try report("1-3000/3000") == .ignore)
    }

    @Test func aFailureReportedLaterIsHeardOf() throws {
        var sender = self.sender()
        let id = try self.start(&sender, 10)
        let chunkStep = sender.next(now: Self.zero)
        let chunk = try #require(chunkStep?.chunk)
        #expect(sender.received(.ok, to: chunk.transactionID) == .result(.init(id: id, outcome: .sent)))
        let status = ReportStatus(.stopSending)
        let range = try ByteRange(parsing: "1-10/10")
        let failed = MessageSender.OnAnswer.result(.init(id: id, outcome: .failed(.stopSending)))
        #expect(sender.received(report: status, range: range, of: id) == failed)
        #expect(sender.received(report: status, range: range, of: id) == .ignore)
    }

    @Test func whatIsGivenUpIsSaidToThePeer() throws {
        var sender = self.sender()
        let id = try self.start(&sender, 5000)
        #expect(sender.next(now: Self.zero) != nil)
        #expect(sender.abort(id) == true)
        let next = sender.next(now: Self.zero)
        let step = try #require(next)
        #expect(step.chunk.continuation == .aborted)
        #expect(step.chunk.body.readableBytes == 0)
        #expect(sender.next(now: Self.zero) == nil)
        #expect(sender.abort(id) == false)
        #expect(sender.unansweredByteCount == 0)
        // Of a message that it has not heard of, the peer hears nothing.
        let other = try self.start(&sender, 10)
        #expect(sender.abort(other) == true)
        #expect(sender.next(now: Self.zero) == nil)
    }

    @Test func afterABreakWhatWasNotAnsweredIsSentAgain() throws {
        var sender = self.sender()
        let id = try self.start(&sender, 6000)
        let silent = try self.start(&sender, 3000, failure: .no)
        let chunks = (0..<4).compactMap { _ in sender.next(now: Self.zero)?.chunk }
        #expect(chunks.map(\.messageID) == [id, silent, id, silent])
        #expect(sender.received(.ok, to: chunks[2].transactionID) == .progress(id))
        #expect(sender.connectionLost() == [])
        #expect(sender.next(now: Self.zero) == nil)
        sender.setPaused(false)
        var ranges: [String] = []
        while let step = sender.next(now: Self.zero) {
            ranges.append("\(step.chunk.range.text)\(step.chunk.continuation)")
            #expect(step.chunk.messageID == id)
            #expect(!chunks.map(\.transactionID).contains(step.chunk.transactionID))
        }
        #expect(ranges == ["1-2048/6000more", "4097-6000/6000complete"])
    }

    @Test func whatCannotBeResumedFails() throws {
        var sender = self.sender()
        let id = try self.start(&sender, 5000, failure: .no)
        let fresh = try self.start(&sender, 10, failure: .no)
        #expect(sender.nextID() == id)
        #expect(sender.connectionLost() == [.init(id: id, outcome: .failed(.timeout))])
        sender.setPaused(false)
        #expect(sender.nextID() == fresh)
    }

    @Test func limitsAndSizesHaveTheirErrors() throws {
        var sender = self.sender { $0.maxOutgoingMessages = 1 }
        let id = sender.makeMessageID()
        try sender.start(.init(id: id, contentType: "a/b", size: 3))
        #expect(throws: MSRPError(.tooManyOutgoing, "")) {
            try sender.start(.init(id: sender.makeMessageID(), contentType: "a/b", size: 3))
        }
        #expect(throws: MSRPError(.wrongSize, "")) { try sender.supply(ByteBuffer(string: "abcd"), to: id) }
        #expect(throws: MSRPError(.wrongSize, "")) { try sender.finish(id) }
        let other = sender.makeMessageID()
        #expect(throws: MSRPError(.unknownMessage, "")) { try sender.supply(ByteBuffer(), to: other) }
        var second = self.sender()
        try second.start(.init(id: id, contentType: "a/b", size: 3))
        #expect(throws: MSRPError(.repeatedMessageID, "")) {
            try second.start(.init(id: id, contentType: "a/b", size: 3))
        }
        #expect(throws: MSRPError(.unprintable, "")) {
            try second.start(.init(id: MessageID(validating: "other001"), contentType: "a\r\nb", size: 3))
        }
    }

    @Test func oneUnansweredChunkDoesNotKeepTheDeadlinesOfTheOthers() throws {
        var sender = self.sender { $0.maxBufferedBytes = 1 << 30 }
        let id = try self.start(&sender, 2048 * 2000)
        #expect(sender.nextID() == id)
        var most = 0
        while let chunk = sender.next(now: Self.zero)?.chunk {
            _ = sender.received(.ok, to: chunk.transactionID)
            most = max(most, sender.deadlines.count)
        }
        #expect(most < 100)
        #expect(sender.deadlines.count >= 1)
        #expect(sender.expire(now: Self.zero + .seconds(30)) == [.init(id: id, outcome: .failed(.timeout))])
        #expect(sender.deadlines.isEmpty)
    }

    @Test func reportsThatNeverComeAreForgotten() throws {
        var sender = self.sender { $0.maxAwaitedReports = 2 }
        var ids: [MessageID] = []
        for _ in 0..<3 {
            ids.append(try self.start(&sender, 1, success: true))
            let chunkStep = sender.next(now: Self.zero)
            let chunk = try #require(chunkStep?.chunk)
            _ = sender.received(.ok, to: chunk.transactionID)
        }
        let range = try ByteRange(parsing: "1-1/1")
        let heard = ids.map { sender.received(report: .init(.ok), range: range, of: $0) }
        #expect(heard == [.ignore] + ids[1...].map { .result(.init(id: $0, outcome: .delivered)) })
    }
}

extension MessageSender {
    /// Parts of the next step, for expectations, which cannot look into the result of a mutating call.
    fileprivate mutating func nextRange() -> String? { self.next(now: SenderTests.zero)?.chunk.range.text }
    fileprivate mutating func nextResumes() -> Bool? { self.next(now: SenderTests.zero)?.resumesProducer }
    fileprivate mutating func nextID() -> MessageID? { self.next(now: SenderTests.zero)?.chunk.messageID }
}
