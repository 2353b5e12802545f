"""What is fixed about RxRx1: its experiments, and how the system of Lin & Lin divides them.

Source: Recursion Cellular Image Classification (Kaggle 2019), and the configuration that the system
(26th of 866) was published with.
"""

# Wells without a siRNA in the challenge's test part; losses of cell types are weighed by them.
TEST_WELLS = {"HEPG2": 4429, "HUVEC": 8846, "RPE": 4417, "U2OS": 2205}
# One experiment of each cell type judges epochs, one is learned from by nobody.
SHIPPED = ("HEPG2-03", "HUVEC-03", "RPE-05", "U2OS-01")
SKIPPED = ("HUVEC-05",)
# Where no experiments are named.
DEFAULT = ("HEPG2-06", "HUVEC-16", "RPE-07", "U2OS-03")
