import Store
import Testing

@testable import MessagingService

@Suite("Layers of what the writer knows")
struct LayersTests {
    private func layers() -> Layers<Int, String> {
        var layers = Layers<Int, String>(capacity: 10)
        layers.remember(1, "old")
        layers.batchEnded(.committed)
        return layers
    }

    @Test("keep a job's values when its batch commits")
    func committed() {
        var layers = layers()
        layers.begin()
        layers.stage(1, "new")
        #expect(layers[1] == "new")
        layers.succeed()
        layers.batchEnded(.committed)
        #expect(layers[1] == "new")
    }

    @Test("drop what a batch changed and what it loaded when it is undone, and nothing else", arguments: [true, false])
    func undone(isFailure: Bool) {
        var layers = layers()
        layers.begin()
        layers.remember(2, "read after writes of the batch")
        layers.stage(1, "new")
        layers.succeed()
        #expect(layers[1] == "new")
        layers.batchEnded(isFailure ? .failed : .undone)
        #expect(layers[1] == "old")
        #expect(layers[2] == nil)
    }

    @Test("keep what a batch loaded once it has committed, also when the next one is undone")
    func loaded() {
        var layers = layers()
        layers.remember(2, "as stored")
        layers.batchEnded(.committed)
        layers.batchEnded(.undone)
        #expect(layers[2] == "as stored")
    }

    @Test("know of no value that was removed")
    func removed() {
        var layers = layers()
        layers.stageRemoval(1)
        #expect(layers[1] == nil)
        layers.succeed()
        layers.batchEnded(.committed)
        #expect(layers[1] == nil)
    }
}
