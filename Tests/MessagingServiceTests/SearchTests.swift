import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

@Suite("Searching, listing, conversations, unread")
struct SearchTests {
    private func found(_ world: World, _ who: DeviceIdentity, _ query: String) async throws -> [String] {
        try await world.service.search(who, query, before: nil, limit: 50).items.map(\.id)
    }

    @Test(
        "found by text, subject, file name and counterpart, before and after it is indexed",
        arguments: [true, false]
    )
    func fields(indexed: Bool) async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let eve = try await world.person("eve")
        var request = try world.request("The quick brown fox, jumps!", to: alice)
        request.subject = "Zoology lecture"
        request.parts.append(PartRequest(upload: try await world.upload(bob.who, [1, 2, 3]), name: "elephant.png"))
        _ = try await world.service.send(bob.who, request)
        _ = try await world.service.send(bob.who, try world.request("nothing of the kind", to: alice))
        if indexed { try await world.service.indexNewContent() }
        for query in ["quick fox", "FOX", "zool", "elephant", "lecture jum", "brown bob", "quick\" OR \"kind fo"] {
            for who in [alice.who, bob.who] {
                let ids = try await found(world, who, query)
                #expect(ids == (query.contains("OR") ? [] : [request.id.description]), "\(query)")
            }
        }
        for query in ["quic fox", "fox elephants", "cat", "own", "1", "\u{E000}1"] {
            #expect(try await found(world, alice.who, query) == [], "\(query)")
        }
        #expect(try await found(world, eve.who, "fox") == [])
        for query in ["", "  ", "!?", "*", "\u{E000}"] {
            await #expect(throws: Refusal(.invalidRequest, "")) {
                try await world.service.search(alice.who, query, before: nil, limit: 10)
            }
        }
    }

    @Test("the index and the tail behind it together, each message once, in pages, newest first")
    func tail() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        var sent: [String] = []
        for number in 0..<30 {
            let request = try world.request("haystack \(number)", to: alice)
            _ = try await world.service.send(bob.who, request)
            sent.append(request.id.description)
            if number == 20 { try await world.service.indexNewContent() }
        }
        var pages: [String] = []
        var before: ChangeNumber?
        repeat {
            let page = try await world.service.search(alice.who, "haystack", before: before, limit: 7)
            #expect(page.items.count <= 7)
            pages += page.items.map(\.id)
            before = page.next
        } while before != nil
        #expect(pages == sent.reversed())
    }

    @Test("what is deleted leaves the search of its owner at once, and the index with the last of them")
    func deleted() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let early = try world.request("needle one", to: alice)
        _ = try await world.service.send(bob.who, early)
        try await world.service.indexNewContent()
        let late = try world.request("needle two", to: alice)
        _ = try await world.service.send(bob.who, late)
        _ = try await world.service.delete(
            alice.who,
            DeleteRequest(ids: [early.id, late.id], scope: .everywhere)
        )
        #expect(try await found(world, alice.who, "needle") == [])
        #expect(try await found(world, bob.who, "needle") == [late.id.description, early.id.description])
        _ = try await world.service.delete(bob.who, DeleteRequest(ids: [early.id], scope: .everywhere))
        try await world.service.indexNewContent()
        #expect(try await found(world, bob.who, "needle") == [late.id.description])
        // The numbers in the index go on being right for what comes.
        let last = try world.request("needle three", to: alice)
        _ = try await world.service.send(bob.who, last)
        try await world.service.indexNewContent()
        #expect(try await found(world, alice.who, "needle") == [last.id.description])
    }

    @Test("pages of inbox, sent and one conversation; unread counted by conversation, as flags say")
    func listings() async throws {
        let world = try await World.open()
        let bob = try await world.person("bob")
        let alice = try await world.person("alice")
        let carol = try await world.person("carol")
        var ids: [MessageID] = []
        for number in 0..<12 {
            let request = try world.request("number \(number)", to: alice)
            _ = try await world.service.send(number.isMultiple(of: 3) ? carol.who : bob.who, request)
            ids.append(request.id)
        }
        let reply = try world.request("thanks", to: bob)
        let answer = try await world.service.send(alice.who, reply)
        func pages(_ listing: Listing) async throws -> [String] {
            var listing = listing
            var all: [String] = []
            while true {
                let page = try await world.service.messages(alice.who, listing)
                all += page.items.map(\.id)
                guard let next = page.next else { return all }
                listing.before = next
            }
        }
        #expect(try await pages(Listing(limit: 5)) == [reply.id.description] + ids.reversed().map(\.description))
        #expect(try await pages(Listing(box: .inbox, limit: 5)) == ids.reversed().map(\.description))
        #expect(try await pages(Listing(box: .sent, limit: 5)) == [reply.id.description])
        let withBob = try await pages(Listing(conversation: answer.conversation, limit: 2))
        #expect(withBob.count == 9)
        _ = try await world.service.markRead(alice.who, ReadRequest(ids: [ids[1], ids[2], ids[3]]))
        #expect(try await pages(Listing(unreadOnly: true, limit: 4)).count == 9)
        let conversations = try await world.service.conversations(alice.who, before: nil, limit: 10).conversations
        #expect(conversations.map(\.messages) == [9, 4])
        #expect(conversations.map(\.unread) == [6, 3])
        #expect(conversations.map { $0.newest?.id } == [reply.id.description, ids[9].description])
        let first = try await world.service.conversations(alice.who, before: nil, limit: 1)
        #expect(first.conversations.map(\.conversation) == [answer.conversation])
        let second = try await world.service.conversations(alice.who, before: first.next, limit: 1)
        #expect(second.conversations.map(\.messages) == [4])
    }
}
