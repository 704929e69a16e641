import Store

/// Committed values, above them those of the running batch, and above these those of the running job.
struct Layers<Key: Hashable, Value> {
    private let capacity: Int
    private var committed: [Key: Value] = [:]
    private var batch: [Key: Value?] = [:]
    private var job: [Key: Value?] = [:]
    /// What the running batch has loaded: it may have been read after writes that are undone.
    private var loaded: [Key] = []

    init(capacity: Int) { self.capacity = capacity }

    subscript(_ key: Key) -> Value? {
        if let value = job[key] { return value }
        if let value = batch[key] { return value }
        return committed[key]
    }

    /// Keeps what was just loaded.
    mutating func remember(_ key: Key, _ value: Value) {
        if committed.count >= capacity { committed.removeAll(keepingCapacity: true) }
        committed[key] = value
        loaded.append(key)
    }

    mutating func dropLoaded() {
        for key in loaded { committed[key] = nil }
        loaded.removeAll(keepingCapacity: true)
    }

    mutating func stage(_ key: Key, _ value: Value) { job[key] = .some(value) }

    mutating func stageRemoval(_ key: Key) { job.updateValue(nil, forKey: key) }

    mutating func begin() { job.removeAll(keepingCapacity: true) }

    mutating func succeed() {
        for (key, value) in job { batch.updateValue(value, forKey: key) }
        begin()
    }

    mutating func batchEnded(_ outcome: BatchOutcome) {
        switch outcome {
        case .committed:
            if committed.count + batch.count > capacity { committed.removeAll(keepingCapacity: true) }
            for (key, value) in batch { committed[key] = value }
            loaded.removeAll(keepingCapacity: true)
        case .failed, .undone: dropLoaded()
        }
        batch.removeAll(keepingCapacity: true)
    }
}
