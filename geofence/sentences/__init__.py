"""Facts as sentences, in the reader's language."""

from geofence.sentences.notes import note_json, sentence, sentences

__all__ = ["note_json", "sentence", "sentences"]
