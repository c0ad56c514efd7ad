from benchmarks.report.machines import common_ground, ground_of


def document(cores, **versions):
    machine = {"processor": "P", "cores": cores, "memory_gib": 8, "system": "Linux"}
    return {"machine": machine, "versions": {"python": "3.11", **versions}}


def test_what_one_other_machine_has_is_not_said_of_all():
    most, other = document(2, faiss_cpu="1"), document(16, faiss_gpu="2")
    common = common_ground([most, most, document(2, faiss_cpu="2"), other])
    assert str(common) == "P, 2 cores, 8 GiB, Linux; python 3.11, faiss_cpu 1"
    assert ground_of(most).beside(common) is None
    assert ground_of(other).beside(common) == "P, 16 cores, 8 GiB, Linux; faiss_gpu 2"
    assert ground_of(document(2, faiss_cpu="2")).beside(common) == "faiss_cpu 2"


def test_no_figures_yet():
    assert str(common_ground([])) == "none yet"
